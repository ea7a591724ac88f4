# SPDX-License-Identifier: Apache-2.0
"""The check for leftovers finds each kind of thing that a container could leave."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from capabilities import require
from daemons import run
from e2e import leftovers, network
from e2e.leftovers import Leftovers

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

pytestmark = pytest.mark.root
NAMESPACE = "e2e-nobody"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    require("root")
    monkeypatch.setattr(leftovers, "SETTLE_S", 0.1)


@contextmanager
def process(_: Path) -> Iterator[None]:
    child = subprocess.Popen(["sleep", "1000"])
    yield
    child.kill()
    child.wait()


@contextmanager
def mount(folder: Path) -> Iterator[None]:
    (folder / "target").mkdir()
    run("mount", "-t", "tmpfs", "none", str(folder / "target"))
    yield
    run("umount", str(folder / "target"))


@contextmanager
def tap(_: Path) -> Iterator[None]:
    with network.private_network():
        run("ip", "tuntap", "add", "dev", "e2etap", "mode", "tap")
        yield


@contextmanager
def namespace(_: Path) -> Iterator[None]:
    run("ip", "netns", "add", "e2eleft")
    yield
    run("ip", "netns", "delete", "e2eleft")


@contextmanager
def state(folder: Path) -> Iterator[None]:
    (folder / "states/container").mkdir()
    yield


@contextmanager
def cgroup(_: Path) -> Iterator[None]:
    # Any hierarchy will do: one of version 2, or the first of version 1.
    top = Path("/sys/fs/cgroup")
    parent = (top if (top / "cgroup.procs").exists() else top / "pids") / NAMESPACE
    (parent / "container").mkdir(parents=True)
    yield
    (parent / "container").rmdir()
    parent.rmdir()


EVERY_KIND = {
    "process": process,
    "mount": mount,
    "network interface": tap,
    "network namespace": namespace,
    "cgroup": cgroup,
    "state": state,
}


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_what_is_left_is_named(tmp_path: Path, kind: str) -> None:
    (tmp_path / "states").mkdir()
    before = Leftovers(NAMESPACE, tmp_path, [tmp_path / "states"])
    left: AbstractContextManager[None] = EVERY_KIND[kind](tmp_path)
    with left, pytest.raises(AssertionError, match=f"left behind:\n{kind} "):
        before.check()
