# SPDX-License-Identifier: Apache-2.0
"""Our JSON against the library's."""

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from urunc import jsontext

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
BROKEN = [
    "NaN",
    "[-Infinity]",
    "",
    "{",
    "[1,",
    '{"a" 1}',
    '{"a": }',
    "nul",
    "{} x",
    '"\\x"',
    '"\n"',
    "[" * 100_000,
]


@given(PLAIN)
def test_what_is_rendered_is_parsed_by_the_library_and_by_us(value):
    text = jsontext.render(value)
    assert json.loads(text) == jsontext.parse(text) == value


@pytest.mark.parametrize("text", BROKEN)
def test_what_is_broken_is_a_value_error_also_where_json_was_never_imported(text):
    code = (
        f"import sys; sys.path[:0] = {sys.path!r}\n"
        "from urunc import jsontext\n"
        "assert 'json' not in sys.modules\n"
        "try: jsontext.parse(sys.stdin.read())\n"
        "except ValueError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-IS", "-c", code], input=text, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip()
