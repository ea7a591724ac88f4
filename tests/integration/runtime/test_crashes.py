# SPDX-License-Identifier: Apache-2.0
"""A runtime that is killed in the middle leaves something that can be seen and removed, and nothing else."""

import os
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

STAGES = ("prestart", "createRuntime", "createContainer")


def hook(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return [{"path": str(path)}]


def launch(urunc, bundle, container_id="c1"):
    bundle.write()
    urunc.ids.append(container_id)
    command = urunc.argv("create", "--bundle", str(bundle.path), container_id)
    with urunc.output.open("ab") as output:
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=urunc.environment
        )


def wait_for(path):
    deadline = time.monotonic() + 20
    while not path.exists():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("stage", STAGES)
def test_a_create_that_is_killed_leaves_no_process_and_can_be_deleted(urunc, bundle, tmp_path, stage):
    waiting = hook(tmp_path / "hook", f"touch {tmp_path}/reached; sleep 1")
    bundle.config["hooks"] = {stage: waiting}
    create = launch(urunc, bundle)
    wait_for(tmp_path / "reached")
    assert urunc("list", "--quiet").stdout.split() == ["c1"]
    create.send_signal(signal.SIGKILL)
    create.wait()
    urunc("delete", "--force", "c1")
    assert urunc.leftovers() == []


@pytest.mark.parametrize("stage", STAGES)
def test_ctrl_c_in_the_middle_of_create_leaves_nothing(urunc, bundle, tmp_path, stage):
    bundle.config["hooks"] = {stage: hook(tmp_path / "hook", f"touch {tmp_path}/reached; sleep 1")}
    create = launch(urunc, bundle)
    wait_for(tmp_path / "reached")
    create.send_signal(signal.SIGINT)
    assert create.wait() == 130
    assert urunc("list", "--quiet").stdout == ""
    assert [path for path in urunc.leftovers() if path.startswith("/")] == []


def test_a_first_process_that_dies_fails_create(urunc, bundle, tmp_path):
    bundle.config["hooks"] = {
        "createRuntime": hook(
            tmp_path / "hook",
            f'sed "s/.*\\"pid\\":\\([0-9]*\\).*/\\1/" > {tmp_path}/pid; kill -9 $(cat {tmp_path}/pid)',
        )
    }
    said = urunc.said(urunc.create(bundle, check=False))
    assert "ended while it was being made" in said
    assert urunc.leftovers() == []


def test_a_first_process_that_dies_before_start_fails_start(urunc, bundle):
    urunc.create(bundle)
    os.kill(urunc.state()["pid"], signal.SIGKILL)
    urunc.wait_for("stopped")
    assert urunc.fails("start", "c1") == "cannot start container c1 in the stopped state"


def test_a_start_that_is_killed_after_the_exec_leaves_a_running_container(urunc, bundle):
    urunc.use_shell_as_monitor()
    urunc.create(bundle)
    state = urunc.root / "c1" / "container.json"
    before = state.read_text()
    urunc("start", "c1")
    state.write_text(before)  # as if `start` had been killed before it could record what happened
    assert urunc.state()["status"] == "running"


def test_of_many_creates_with_one_id_one_succeeds(urunc, bundle):
    creates = [launch(urunc, bundle) for _ in range(6)]
    codes = sorted(create.wait(timeout=30) for create in creates)
    assert codes == [0, 1, 1, 1, 1, 1]
    assert urunc.state()["status"] == "created"


def test_of_many_starts_one_succeeds(urunc, bundle):
    urunc.create(bundle)
    codes = []
    command = urunc.argv("start", "c1")

    def start():
        codes.append(
            subprocess.run(command, capture_output=True, env=urunc.environment, check=False).returncode
        )

    threads = [threading.Thread(target=start) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(codes) == [0, 1, 1, 1, 1, 1]


def test_a_container_does_not_keep_a_host_file_system_busy(urunc, bundle, tmp_path):
    (tmp_path / "disk").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "tmpfs", str(tmp_path / "disk")], check=True)
    urunc.create(bundle)
    subprocess.run(["umount", str(tmp_path / "disk")], check=True)
    pid = urunc.state()["pid"]
    deadline = time.monotonic() + 10
    while str(tmp_path / "disk") in Path(f"/proc/{pid}/mountinfo").read_text():
        assert time.monotonic() < deadline
        time.sleep(0.01)
