# SPDX-License-Identifier: Apache-2.0
"""events: what a container takes, as runc says it, and as the cgroup has it."""

from __future__ import annotations

import json
import signal
import subprocess
import time

import pytest
from capabilities import require
from integration.runtime import cgroups

pytestmark = pytest.mark.inside

MIB = 1 << 20


@pytest.fixture(name="running")
def running_fixture(urunc, bundle):
    bundle.config["linux"]["resources"] = {"memory": {"limit": 512 * MIB}, "pids": {"limit": 77}}
    urunc.create(bundle)
    urunc("start", "c1")
    urunc.report()
    return urunc


def stats(urunc):
    (line,) = urunc("events", "--stats", "c1").stdout.splitlines()
    record = json.loads(line)
    assert (record["type"], record["id"]) == ("stats", "c1")
    return record["data"]


def test_the_numbers_are_those_of_the_cgroup(running):
    data = stats(running)
    used = int(cgroups.read(running, "memory", "memory.usage_in_bytes", "memory.current"))
    assert data["memory"]["usage"]["limit"] == 512 * MIB
    assert abs(data["memory"]["usage"]["usage"] - used) < 4 * MIB
    assert data["memory"]["usage"]["max"] >= data["memory"]["usage"]["usage"] > MIB
    assert data["pids"] == {"current": 1, "limit": 77}
    first = data["cpu"]["usage"]["total"]
    assert 1_000_000 < first < 60_000_000_000
    assert stats(running)["cpu"]["usage"]["total"] >= first
    assert data["cpuset"]["cpus"]


def paths(value, prefix="", *, zeros):
    """Every key with its way down, with or without those of nothing; the keys of raw are the kernel's own."""
    if not isinstance(value, dict):
        return {prefix} if value or zeros else set()
    return {
        path
        for key, one in value.items()
        for path in ({f"{prefix}.raw"} if key == "raw" else paths(one, f"{prefix}.{key}", zeros=zeros))
    }


def test_runc_says_nothing_that_we_do_not(running, tmp_path):
    require("runc", "busybox")
    bundle = tmp_path / "ordinary"
    (bundle / "rootfs").mkdir(parents=True)
    config = {
        "ociVersion": "1.0.2",
        "process": {"cwd": "/", "args": ["/busybox", "sleep", "60"], "user": {"uid": 0, "gid": 0}},
        "root": {"path": "rootfs"},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "mount")],
            "cgroupsPath": "/urunc/ordinary",
            "resources": {"memory": {"limit": 512 * MIB}, "pids": {"limit": 77}},
        },
    }
    (bundle / "config.json").write_text(json.dumps(config))
    program = subprocess.check_output(["which", "busybox"], text=True).strip()
    subprocess.run(["cp", program, str(bundle / "rootfs/busybox")], check=True)
    (bundle / "rootfs/proc").mkdir()
    runc = ["runc", "--root", str(tmp_path / "runc")]
    null = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([*runc, "run", "--detach", "--bundle", str(bundle), "ordinary"], check=True, **null)
    try:
        text = subprocess.check_output([*runc, "events", "--stats", "ordinary"], text=True)
        theirs, ours = json.loads(text)["data"], stats(running)
        theirs["blkio"] = {}  # who has read something by now is chance
        assert paths(theirs, zeros=False) - paths(ours, zeros=True) == set()
        assert set(theirs["memory"]["raw"]) - set(ours["memory"]["raw"]) == set()
    finally:
        subprocess.run([*runc, "delete", "--force", "ordinary"], check=True)


def test_reports_come_again_and_again_until_the_container_ends(running):
    command = running.argv("events", "--interval", "50ms", "c1")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=running.environment) as events:
        kinds = [json.loads(events.stdout.readline())["type"] for _ in range(3)]
        assert kinds == ["stats"] * 3
        running("kill", "c1", "KILL")
        assert not any('"oom"' in line for line in events.stdout)
        assert events.wait(timeout=20) == 0


def test_ctrl_c_ends_the_reports(running):
    command = running.argv("events", "--interval", "50ms", "c1")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=running.environment) as events:
        events.stdout.readline()
        events.send_signal(signal.SIGINT)
        events.stdout.read()
        assert events.wait(timeout=20) == 130


def test_what_makes_no_sense_is_refused(running):
    assert "--interval: 'often' is no time above zero" in running.fails("events", "--interval", "often", "c1")
    assert "--interval: '0s' is no time above zero" in running.fails("events", "--interval", "0s", "c1")
    assert running.fails("events", "--stats", "nobody") == "container nobody does not exist"
    running("kill", "c1", "KILL")
    running.wait_for("stopped")
    assert running.fails("events", "--stats", "c1") == "container not running: c1"


def test_the_quota_holds(urunc, bundle):
    """A monitor that wants a whole processor gets a third of one, as the kernel counts it."""
    (urunc.programs / "qemu-system-x86_64").write_text("#!/bin/sh\nwhile :; do :; done\n")
    bundle.config["linux"]["resources"] = {"cpu": {"quota": 30000, "period": 100000}}
    urunc.create(bundle)
    urunc("start", "c1")
    before, since = stats(urunc)["cpu"], time.monotonic()
    while stats(urunc)["cpu"]["throttling"]["periods"] < before["throttling"]["periods"] + 20:
        assert time.monotonic() < since + 60, "nothing is limited"
        time.sleep(0.05)
    after, elapsed = stats(urunc)["cpu"], time.monotonic() - since
    used = (after["usage"]["total"] - before["usage"]["total"]) / 1e9
    assert used <= 0.3 * (elapsed + 0.1) * 1.05
    assert after["throttling"]["throttledPeriods"] > before["throttling"]["throttledPeriods"]
