# SPDX-License-Identifier: Apache-2.0
"""update: limits of a container that runs, in the words of runc; and what follows when they are too low."""

from __future__ import annotations

import json
import os
import signal
import subprocess

import pytest
from integration.runtime import cgroups

pytestmark = pytest.mark.inside

MIB = 1 << 20


@pytest.fixture(name="running")
def running_fixture(urunc, bundle):
    bundle.config["linux"]["resources"] = {
        "memory": {"limit": 512 * MIB},
        "cpu": {"quota": 80000, "period": 100000},
    }
    urunc.create(bundle)
    urunc("start", "c1")
    urunc.report()
    return urunc


def update(urunc, resources, path="-"):
    """As containerd calls it for CRI: `update --resources - ID`."""
    done = subprocess.run(
        urunc.argv("update", "--resources", path, "c1"),
        input=json.dumps(resources), capture_output=True, text=True, env=urunc.environment, check=False,
    )  # fmt: skip
    return urunc.said(done) if done.returncode else ""


def memory(urunc):
    return int(cgroups.read(urunc, "memory", "memory.limit_in_bytes", "memory.max"))


def cpu(urunc):
    first = cgroups.read(urunc, "cpu", "cpu.cfs_quota_us", "cpu.max").split()
    return first if len(first) == 2 else [*first, cgroups.read(urunc, "cpu", "cpu.cfs_period_us", "cpu.max")]


def pids(urunc):
    return cgroups.read(urunc, "pids", "pids.max", "pids.max")


def test_limits_change_by_standard_input_and_all_that_is_not_named_stays(running):
    assert (
        update(
            running, {"memory": {"limit": 640 * MIB}, "pids": {"limit": 99}, "devices": [{"allow": False}]}
        )
        == ""
    )
    assert (memory(running), pids(running), cpu(running)) == (640 * MIB, "99", ["80000", "100000"])


def test_limits_change_by_a_file(running, tmp_path):
    (tmp_path / "resources").write_text('{"pids": {"limit": 44}}')
    running("update", "-r", str(tmp_path / "resources"), "c1")
    assert pids(running) == "44"


def test_limits_change_by_options_with_units(running):
    running(
        "update", "--memory", "640M", "--pids-limit", "55", "--cpu-share", "512", "--cpu-quota=60000", "c1"
    )
    assert (memory(running), pids(running), cpu(running)) == (640 * MIB, "55", ["60000", "100000"])
    running("update", "--cpu-period", "50000", "--memory", "704mb", "--pids-limit", "-1", "c1")
    assert (memory(running), pids(running), cpu(running)) == (704 * MIB, "max", ["60000", "50000"])


def test_limits_that_depend_on_each_other_change_up_and_down(running):
    for limit in (600, 300, 900):
        running("update", "--memory", f"{limit}m", "--memory-swap", f"{limit * 2}m", "c1")
        assert memory(running) == limit * MIB
    running("update", "--memory", "-1", "c1")
    found = cgroups.read(running, "memory", "memory.limit_in_bytes", "memory.max")
    assert found == "max" or int(found) > 1 << 60


def test_a_created_container_can_be_changed(urunc, bundle):
    urunc.create(bundle)
    urunc("update", "--pids-limit", "33", "c1")
    assert pids(urunc) == "33"


def test_one_limit_that_cannot_be_set_leaves_all_as_they_were(running):
    said = update(running, {"pids": {"limit": 66}, "memory": {"limit": 640 * MIB}, "cpu": {"period": 3}})
    assert "set linux.resources.cpu." in said
    assert (memory(running), pids(running), cpu(running)) == (512 * MIB, "max", ["80000", "100000"])


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--memory", "lots"), "--memory: 'lots' is not a number; write it like 64 or -1"),
        (("--cpu-quota", "5m"), "--cpu-quota: '5m' is not a number"),
        (("--kernel-memory", "5m"), "linux.resources.memory.kernel cannot hold"),
        (("--l3-cache-schema", "x"), "--l3-cache-schema is not served; leave it out"),
        (("--resources", "/nowhere"), "read /nowhere: No such file or directory"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(running, words, said):
    assert said in running.fails("update", *words, "c1")


@pytest.mark.parametrize(("text", "said"), [("[]", "is not a JSON object"), ("{", "is not valid JSON")])
def test_a_file_that_is_none_is_refused(running, tmp_path, text, said):
    (tmp_path / "resources").write_text(text)
    assert said in running.fails("update", "--resources", str(tmp_path / "resources"), "c1")


def test_a_limit_below_what_is_used_can_be_asked_not_to_be_set(running):
    said = update(running, {"memory": {"limit": 1 * MIB, "checkBeforeUpdate": True}})
    assert "bytes of memory, more than the new limit of 1048576; leave out checkBeforeUpdate" in said
    assert memory(running) == 512 * MIB


def test_a_limit_below_what_the_machine_may_take_is_warned_of(running):
    running("update", "--memory", "256m", "c1")
    assert "the guest of c1 and its monitor may take 512 MiB; beyond" in running.log.read_text()


def test_a_container_that_has_ended_cannot_be_changed(urunc, bundle):
    assert urunc.fails("update", "--pids-limit", "5", "nobody") == "container nobody does not exist"
    bundle.config["process"]["args"] = ["0"]
    urunc.create(bundle)
    urunc("start", "c1")
    urunc.wait_for("stopped")
    assert urunc.fails("update", "--pids-limit", "5", "c1") == "container not running: c1"


def test_a_monitor_that_takes_more_than_the_lowered_limit_is_killed_and_events_tell(running):
    running("update", "--memory", "128m", "--memory-swap", "128m", "c1")
    command = running.argv("events", "--interval", "100ms", "c1")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=running.environment) as events:
        assert json.loads(events.stdout.readline())["type"] == "stats"
        os.kill(running.state()["pid"], signal.SIGUSR1)
        told = [json.loads(line) for line in events.stdout]
        assert events.wait(timeout=20) == 0
    assert {"type": "oom", "id": "c1"} in told
    running.wait_for("stopped")
