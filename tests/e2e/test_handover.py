# SPDX-License-Identifier: Apache-2.0
"""What runc can do with an ordinary container, containerd gets through urunc as well; a unikernel says no."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from daemons import run
from e2e.examples import HELLO
from e2e.images import BUSYBOX
from e2e.waiting import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator

    from e2e.engine import Engine

pytestmark = [pytest.mark.vm, pytest.mark.root, pytest.mark.usefixtures("clean")]


@pytest.fixture(params=["runc", "urunc"])
def shell(engine: Engine, request: pytest.FixtureRequest) -> Iterator[str]:
    """The id of a running ordinary container."""
    options = ("--detach", "--null-io", "--runc-binary", request.param)
    engine.ctr("run", *options, BUSYBOX, "shell", "sleep", "1000")
    yield "shell"
    engine.ctr("tasks", "kill", "--signal", "SIGKILL", "shell")
    eventually(lambda: engine.tasks()["shell"] == "STOPPED", "the end")
    engine.ctr("tasks", "rm", "shell")
    engine.ctr("containers", "rm", "shell")


@pytest.fixture
def unikernel(engine: Engine) -> Iterator[str]:
    """The id of a running unikernel."""
    engine.ctr("run", "--detach", "--null-io", "--runc-binary", "urunc", HELLO, "vm", "hello", "spin")
    yield "vm"
    engine.ctr("tasks", "rm", "--force", "vm", check=False)
    engine.ctr("containers", "rm", "vm")


def test_a_command_runs_in_an_ordinary_container(engine: Engine, shell: str) -> None:
    answer = engine.ctr("tasks", "exec", "--exec-id", "e", shell, "echo", "from inside")
    assert answer.stdout == "from inside\n"


def test_an_ordinary_container_is_paused_and_resumed(engine: Engine, shell: str) -> None:
    engine.ctr("tasks", "pause", shell)
    assert engine.tasks()[shell] == "PAUSED"
    engine.ctr("tasks", "resume", shell)
    assert engine.tasks()[shell] == "RUNNING"


def test_the_processes_of_an_ordinary_container_are_listed(engine: Engine, shell: str) -> None:
    assert len(engine.ctr("tasks", "ps", shell).stdout.splitlines()) == 2


def test_the_monitor_is_the_process_of_a_unikernel(engine: Engine, unikernel: str) -> None:
    pid = engine.ctr("tasks", "ps", unikernel).stdout.splitlines()[1].split()[0]
    assert run("cat", f"/proc/{pid}/comm").stdout.startswith("qemu-system")


def test_the_memory_of_a_unikernel_is_that_of_its_monitor(engine: Engine, unikernel: str) -> None:
    def used() -> int:
        lines = engine.ctr("tasks", "metrics", unikernel).stdout.splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("memory.usage"))

    # QEMU without its guest is larger than anything else that could be in the cgroup.
    eventually(lambda: used() > 16 << 20, "the monitor's memory")


def test_what_a_unikernel_cannot_do_is_said(engine: Engine, unikernel: str) -> None:
    refused = engine.ctr("tasks", "exec", "--exec-id", "e", unikernel, "ls", check=False)
    assert refused.returncode != 0
    assert "did not terminate successfully" not in refused.stderr, "the reason is not in the log"
    assert engine.tasks()[unikernel] == "RUNNING"
