# SPDX-License-Identifier: Apache-2.0
"""Each feature that docs/bima.md claims has the test that it names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
TESTS = "".join(path.read_text() for path in (ROOT / "tests").rglob("test_*.py"))
TABLE = (ROOT / "docs/bima.md").read_text().partition("\n## Features\n")[2].partition("\n## ")[0]
ROWS = re.findall(r"^\| (?!feature|---)(.+?) \|.*?\|(.*?)\|$", TABLE, re.MULTILINE)


def test_there_is_a_table() -> None:
    assert len(ROWS) > 5


@pytest.mark.parametrize(("feature", "cell"), ROWS, ids=[row[0] for row in ROWS])
def test_a_feature_names_a_test_that_exists(feature: str, cell: str) -> None:
    named = re.findall(r"`(test_\w+)`", cell)
    assert named, feature
    assert [name for name in named if f"def {name}(" not in TESTS] == []
