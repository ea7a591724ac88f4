# SPDX-License-Identifier: Apache-2.0
"""pause and resume: nothing of a paused container runs, and it can still be ended."""

from __future__ import annotations

import json
import time

import pytest

pytestmark = pytest.mark.inside

COUNT = "#!/bin/sh\ntrap 'exit 0' TERM\nwhile :; do echo tick; sleep 0.01; done\n"


@pytest.fixture(name="ticking")
def ticking_fixture(urunc, bundle):
    """A container whose monitor never stops talking."""
    (urunc.programs / "qemu-system-x86_64").write_text(COUNT)
    urunc.create(bundle)
    urunc("start", "c1")
    more(urunc, 1)
    return urunc


def ticks(urunc):
    return urunc.output.read_text().count("tick")


def more(urunc, count):
    """Wait for that many more."""
    wanted, deadline = ticks(urunc) + count, time.monotonic() + 20
    while ticks(urunc) < wanted:
        assert time.monotonic() < deadline, "it stands still"
        time.sleep(0.01)


def test_a_paused_container_stands_still_until_it_is_resumed(ticking):
    ticking("pause", "c1")
    before = ticks(ticking)
    assert ticking.state()["status"] == "paused"
    assert " paused " in ticking("list").stdout
    assert json.loads(ticking("ps", "--format", "json", "c1").stdout)[0] == ticking.state()["pid"]
    time.sleep(0.2)
    assert ticks(ticking) == before
    ticking("resume", "c1")
    assert ticking.state()["status"] == "running"
    more(ticking, 3)


def test_what_is_paused_cannot_be_paused_started_or_deleted_and_what_runs_not_resumed(ticking):
    assert ticking.fails("resume", "c1") == "cannot resume container c1 in the running state"
    ticking("pause", "c1")
    assert ticking.fails("pause", "c1") == "cannot pause container c1 in the paused state"
    assert ticking.fails("start", "c1") == "cannot start container c1 in the paused state"
    assert "cannot delete container c1 in the paused state" in ticking.fails("delete", "c1")


@pytest.mark.parametrize("all_of_it", [(), ("--all",)])
def test_a_paused_container_can_be_killed(ticking, all_of_it):
    ticking("pause", "c1")
    ticking("kill", *all_of_it, "c1", "9")
    ticking.wait_for("stopped")


def test_a_paused_container_can_be_deleted_by_force(ticking):
    ticking("pause", "c1")
    ticking("delete", "--force", "c1")
    assert ticking.leftovers() == []


def test_another_signal_waits_until_the_container_goes_on(ticking):
    ticking("pause", "c1")
    ticking("kill", "c1", "TERM")
    assert ticking.state()["status"] == "paused"
    ticking("resume", "c1")
    ticking.wait_for("stopped")


def test_a_container_that_was_only_created_can_be_paused_and_then_started(urunc, bundle):
    urunc.create(bundle)
    urunc("pause", "c1")
    assert urunc.state()["status"] == "paused"
    urunc("resume", "c1")
    assert urunc.state()["status"] == "created"
    urunc("start", "c1")
    urunc.report()


def test_a_stop_signal_ends_a_container_that_was_paused_before_its_start(urunc, bundle):
    urunc.create(bundle)
    urunc("pause", "c1")
    urunc("kill", "c1", "TERM")
    urunc("resume", "c1", check=False)
    urunc.wait_for("stopped")


@pytest.mark.parametrize("verb", ["pause", "resume"])
def test_who_is_not_there_can_neither_be_paused_nor_resumed(urunc, bundle, verb):
    assert urunc.fails(verb, "nobody") == "container nobody does not exist"
    bundle.config["process"]["args"] = ["0"]
    urunc.create(bundle)
    urunc("start", "c1")
    urunc.wait_for("stopped")
    words = {
        "pause": "container not running: c1",
        "resume": "cannot resume container c1 in the stopped state",
    }
    assert urunc.fails(verb, "c1") == words[verb]
