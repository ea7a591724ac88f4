# SPDX-License-Identifier: Apache-2.0
"""Containers as scopes of systemd, on a machine where it runs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from capabilities import require
from integration.runtime import cgroups
from integration.runtime.conftest import Bundle, Runtime

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.inside

MIB = 1 << 20
SCOPE = "urunctest-c1.scope"
PATH = "urunctest-some.slice:urunctest:c1"


@pytest.fixture(name="bundle")
def bundle_fixture(tmp_path: Path) -> Bundle:
    require("root", "systemd")
    bundle = Bundle(tmp_path / "bundle")
    bundle.config["linux"]["cgroupsPath"] = PATH
    return bundle


@pytest.fixture(name="urunc")
def urunc_fixture(tmp_path: Path, bundle: Bundle) -> Iterator[Runtime]:
    del bundle  # it skips where there is no systemd
    runtime = Runtime(tmp_path)
    yield runtime
    for container_id in runtime.ids:
        runtime("delete", "--force", container_id, check=False)
    assert runtime.leftovers() == []
    assert units() == []


def units() -> list[str]:
    """The scopes of ours that systemd knows."""
    words = [
        "systemctl",
        "list-units",
        "--all",
        "--plain",
        "--no-legend",
        "urunctest-*.scope",
        "urunc-*.scope",
    ]
    return subprocess.check_output(words, text=True).split("\n")[:-1]


def show(unit: str, name: str) -> str:
    return subprocess.check_output(
        ["systemctl", "show", "--value", f"--property={name}", unit], text=True
    ).strip()


def test_a_container_is_a_scope_with_its_process_in_it(urunc: Runtime, bundle: Bundle) -> None:
    urunc.create(bundle)
    assert show(SCOPE, "ActiveState") == "active"
    assert show(SCOPE, "Slice") == "urunctest-some.slice"
    assert show(SCOPE, "Delegate") == "yes"
    (path,) = {
        line.split(":", 2)[2]
        for line in Path(f"/proc/{urunc.state()['pid']}/cgroup").read_text().splitlines()
        if "scope" in line
    }
    assert path == f"/urunctest.slice/urunctest-some.slice/{SCOPE}" == show(SCOPE, "ControlGroup")
    urunc("start", "c1")
    urunc.report()
    urunc("delete", "--force", "c1")
    assert units() == []


def test_limits_are_properties_of_the_scope_and_survive_a_reload(urunc: Runtime, bundle: Bundle) -> None:
    bundle.config["linux"]["resources"] = {
        "memory": {"limit": 512 * MIB},
        "cpu": {"quota": 50000, "period": 100000, "shares": 1024, "cpus": "0"},
        "pids": {"limit": 77},
        "devices": [{"allow": False, "access": "rwm"}],
    }
    urunc.create(bundle)
    assert show(SCOPE, "MemoryMax") == str(512 * MIB)
    assert show(SCOPE, "TasksMax") == "77"
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    assert cgroups.read(urunc, "memory", "memory.limit_in_bytes", "memory.max") == str(512 * MIB)
    assert cgroups.read(urunc, "cpu", "cpu.cfs_quota_us", "cpu.max") in ("50000", "50000 100000")
    assert cgroups.read(urunc, "cpuset", "cpuset.cpus", "cpuset.cpus") == "0"
    urunc("update", "--memory", "600m", "--pids-limit", "88", "c1")
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    assert cgroups.read(urunc, "memory", "memory.limit_in_bytes", "memory.max") == str(600 * MIB)
    assert (cgroups.read(urunc, "pids", "pids.max", "pids.max"), show(SCOPE, "TasksMax")) == ("88", "88")


def test_with_the_flag_a_container_without_a_path_is_a_scope_of_system_slice(
    urunc: Runtime, bundle: Bundle
) -> None:
    del bundle.config["linux"]["cgroupsPath"]
    bundle.write()
    urunc.ids.append("c1")
    with urunc.output.open("ab") as output:
        command = [
            str(urunc.launcher),
            "--systemd-cgroup",
            *urunc.argv("create", "--bundle", str(bundle.path), "c1")[1:],
        ]
        subprocess.run(
            command, check=True, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=urunc.environment
        )
    assert show("urunc-c1.scope", "ControlGroup") == "/system.slice/urunc-c1.scope"


def test_with_the_flag_an_ordinary_path_is_refused(urunc: Runtime, bundle: Bundle) -> None:
    bundle.config["linux"]["cgroupsPath"] = "/a/b"
    bundle.write()
    command = [
        str(urunc.launcher),
        "--systemd-cgroup",
        *urunc.argv("create", "--bundle", str(bundle.path), "c1")[1:],
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=urunc.environment)
    assert "'/a/b' is not for systemd, which --systemd-cgroup asks for" in urunc.said(done)


def test_a_paused_container_of_systemd_is_resumed_and_deleted(urunc: Runtime, bundle: Bundle) -> None:
    urunc.create(bundle)
    urunc("start", "c1")
    urunc.report()
    urunc("pause", "c1")
    assert urunc.state()["status"] == "paused"
    urunc("resume", "c1")
    urunc("pause", "c1")
    urunc("delete", "--force", "c1")
    assert units() == []


def test_a_container_that_ended_by_itself_leaves_no_unit(urunc: Runtime, bundle: Bundle) -> None:
    bundle.config["process"]["args"] = ["0"]
    urunc.create(bundle)
    urunc("start", "c1")
    urunc.wait_for("stopped")
    urunc("delete", "c1")
    assert units() == []


def test_a_create_that_fails_leaves_no_unit(urunc: Runtime, bundle: Bundle) -> None:
    bundle.config["linux"]["resources"] = {"unified": {"nonsense.max": "1"}}
    assert "linux.resources.unified['nonsense.max'] cannot hold" in urunc.said(
        urunc.create(bundle, check=False)
    )
    assert units() == []


def test_two_containers_of_one_name_cannot_be(urunc: Runtime, bundle: Bundle) -> None:
    urunc.create(bundle)
    said = urunc.said(urunc.create(bundle, "c2", check=False))
    assert f"{SCOPE} has processes in it already" in said
    assert urunc.state()["status"] == "created"
    assert json.loads((urunc.root / "c1/container.json").read_text())["unit"] == SCOPE
