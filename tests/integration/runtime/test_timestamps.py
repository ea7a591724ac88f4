# SPDX-License-Identifier: Apache-2.0
"""The phases of a container, as its real processes record them."""

import json
import os
from pathlib import Path

import pytest

ORDER = [f"TS{number:02}" for number in range(19)]


@pytest.fixture
def recorded(urunc, bundle, tmp_path):
    """The lines of one whole life."""
    file = tmp_path / "times"
    with open(urunc.environment["URUNC_CONFIG_FILE"], "a") as configuration:
        configuration.write(f'[timestamps]\nenabled = true\ndestination = "{file}"\n')
    urunc.use_shell_as_monitor()
    urunc.create(bundle)
    urunc("start", "c1")
    opened = {os.readlink(entry) for entry in Path(f"/proc/{urunc.state()['pid']}/fd").iterdir()}
    assert str(file) not in opened, "the monitor has it"
    urunc("kill", "c1", "KILL")
    urunc("delete", "--force", "c1")
    return file


def test_each_process_records_its_phases_in_the_order_of_time(recorded):
    points = [json.loads(line) for line in recorded.read_text().splitlines()]
    assert {point["process"] for point in points} == {"create", "init", "start", "kill", "delete"}
    for process in ("create", "init", "start", "kill", "delete"):
        own = [point["monotonic"] for point in points if point["process"] == process]
        assert own == sorted(own)
    assert sorted(point["timestampID"] for point in points if "timestampOrder" in point) == ORDER


def test_trace_draws_them(recorded, urunc, tmp_path):
    drawn = urunc("trace", "--svg", str(tmp_path / "c1.svg"), str(recorded)).stdout
    lanes = [line.split()[0] for line in drawn.splitlines()[2:] if line and not line.startswith(" ")]
    assert lanes == ["create", "first", "start", "kill", "delete"]
    assert (tmp_path / "c1.svg").read_text().count("<rect") > len(lanes)


def test_nothing_is_recorded_unless_asked(urunc, bundle, tmp_path):
    before = set(tmp_path.rglob("*times*"))
    urunc.create(bundle)
    assert set(tmp_path.rglob("*times*")) == before


def test_a_file_that_cannot_be_opened_fails_the_verb_with_a_remedy(urunc, bundle):
    bundle.write()
    said = urunc.fails("--timestamps", "/proc/none/times", "create", "--bundle", str(bundle.path), "c1")
    assert "/proc/none/times" in said
    assert "name another file with --timestamps" in said
