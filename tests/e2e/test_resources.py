# SPDX-License-Identifier: Apache-2.0
"""Limits, pauses and statistics as users and engines see them, with real machines."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from capabilities import require
from e2e import linux_container
from e2e.linux_roots import ROOTS
from e2e.subjects import READY, SUBJECTS
from e2e.waiting import eventually

from urunc import hierarchy
from urunc.host import cgroups

if TYPE_CHECKING:
    from collections.abc import Iterator

    from e2e.engine import Engine
    from e2e.linux_container import Container
    from e2e.subjects import Subject

pytestmark = [pytest.mark.vm, pytest.mark.root]

MIB = 1 << 20
every_subject = pytest.mark.parametrize("subject", SUBJECTS, ids=lambda subject: subject.name)


@pytest.fixture(name="container")
def container_fixture(tmp_path: Path) -> Iterator[Container]:
    require("root", "qemu", "linux-kernel")
    with linux_container.container(tmp_path) as container:
        ROOTS["initrd"](container)
        container.linux["resources"] = {"memory": {"limit": 256 * MIB, "swap": 256 * MIB}}
        yield container


def kills(container: Container) -> int:
    """How often the host has killed for want of memory in the container's cgroup."""
    state = json.loads((container.folder / "state" / container.folder.name / "container.json").read_text())
    place = hierarchy.places(cgroups.find(), state["cgroups"])["memory"]
    file = Path(place.directory) / ("memory.events" if place.unified else "memory.oom_control")
    found = re.search(r"^oom_kill (\d+)$", file.read_text(), re.MULTILINE)
    assert found, file.read_text()
    return int(found[1])


def test_a_program_that_wants_more_than_the_guest_has_ends_with_the_reason(
    container: Container, tmp_path: Path
) -> None:
    """What is left of 256 MiB is enough for the monitor, whatever its guest does."""
    with (tmp_path / "errors").open("wb") as errors:
        container.write("/bin/busybox", "tail", "/dev/zero")
        words = ("run", "--keep", "--bundle", str(container.rootfs.parent), container.folder.name)
        command = container.argv(*words)
        done = subprocess.run(command, stderr=errors, env=container.environment, check=False, timeout=60)
    assert done.returncode != 0
    said = (tmp_path / "errors").read_text()
    assert re.search(
        r"/bin/busybox or what it started was killed for want of memory: the guest has \d+ MiB", said
    )
    assert kills(container) == 0


def test_a_shell_whose_child_was_killed_for_want_of_memory_tells_too(container: Container) -> None:
    done = container.run("/bin/sh", "-c", "/bin/busybox tail /dev/zero; exit 3")
    assert done.status == 2 * 3 + 1
    assert "killed for want of memory" in done.stderr


def test_who_fails_with_memory_enough_is_told_nothing_of_it(container: Container) -> None:
    assert "memory" not in container.run("/bin/sh", "-c", "exit 3").stderr


def start_detached(engine: Engine, subject: Subject, log: Path, *options: str) -> None:
    words = ("run", *options, "--detach", "--log-uri", f"file://{log}", "--runc-binary", subject.runtime)
    engine.ctr(*words, subject.image, "one", *subject.stay)
    eventually(lambda: READY in log.read_text(errors="replace"), "output")


def remove(engine: Engine) -> None:
    engine.ctr("tasks", "rm", "--force", "one", check=False)
    engine.ctr("containers", "rm", "one")


@pytest.mark.usefixtures("clean")
@every_subject
def test_containerd_pauses_and_resumes_a_container(engine: Engine, subject: Subject, tmp_path: Path) -> None:
    start_detached(engine, subject, tmp_path / "log")
    engine.ctr("tasks", "pause", "one")
    assert engine.tasks() == {"one": "PAUSED"}
    engine.ctr("tasks", "resume", "one")
    assert engine.tasks() == {"one": "RUNNING"}
    remove(engine)


@pytest.mark.usefixtures("clean")
@every_subject
def test_containerd_measures_a_container_and_knows_its_limit(
    engine: Engine, subject: Subject, tmp_path: Path
) -> None:
    start_detached(engine, subject, tmp_path / "log", "--memory-limit", str(512 * MIB))
    lines = [line.split() for line in engine.ctr("tasks", "metrics", "one").stdout.splitlines()]
    found = {line[0]: line[1] for line in lines if len(line) == 2}
    assert int(found["memory.usage_in_bytes" if "memory.usage_in_bytes" in found else "memory.usage"]) > 0
    assert str(512 * MIB) in found.values()
    remove(engine)
