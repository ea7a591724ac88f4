# SPDX-License-Identifier: Apache-2.0
"""docs/specification.md and the loader know every field of the specification."""

import json
import re

from capabilities import ROOT
from everything import EVERYTHING, fields

from urunc import bundle as bundles

ROW = re.compile(r"^\| (`.+?`) \| (applied|does not apply|refused) \| (.*) \| `(\w+)` \|$", re.MULTILINE)
FIELDS = set(fields())


def rows():
    return ROW.findall((ROOT / "docs/specification.md").read_text())


def test_the_table_has_each_field_once_and_no_other():
    named = [key for keys, *_ in rows() for key in re.findall(r"`([^`]+)`", keys)]
    assert sorted(named) == sorted(FIELDS)


def test_each_row_of_the_table_can_be_read():
    text = (ROOT / "docs/specification.md").read_text()
    assert len(rows()) == sum(line.startswith("| `") for line in text.splitlines())


def test_each_row_names_a_test_that_is_there():
    sources = "".join(file.read_text() for file in (ROOT / "tests").rglob("test_*.py"))
    assert [test for *_, test in rows() if f"def {test}(" not in sources] == []


def test_the_loader_reads_every_field():
    assert bundles.from_text(json.dumps(EVERYTHING), "/b").unknown == ()


def test_a_field_that_the_specification_has_not_got_is_noticed_wherever_it_is():
    spec = json.loads(json.dumps(EVERYTHING))
    spec["linux"]["resources"]["cpu"]["colour"] = spec["mounts"][1]["colour"] = spec["colour"] = {"a": 1}
    found = bundles.from_text(json.dumps(spec), "/b")
    assert set(found.unknown) == {"linux.resources.cpu.colour", "mounts[1].colour", "colour"}
