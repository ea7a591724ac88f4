# SPDX-License-Identifier: Apache-2.0
"""Mounts and control groups of the tests' own, which nobody else on this machine sees or changes."""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from daemons import run

if TYPE_CHECKING:
    from collections.abc import Iterator

CLONE_NEWNS = 0x20000
OWN_CGROUP = f"/tests-{os.getpid()}"
CPUSET = ("cpuset.cpus", "cpuset.mems")


@contextmanager
def private_mounts() -> Iterator[None]:
    """What this process and its children mount is seen by nobody else, and gone at the end."""
    libc, here = ctypes.CDLL(None, use_errno=True), Path.cwd()
    with open("/proc/self/ns/mnt") as home:
        assert libc.unshare(CLONE_NEWNS) == 0, os.strerror(ctypes.get_errno())
        try:
            run("mount", "--make-rprivate", "/")
            yield
        finally:
            assert libc.setns(home.fileno(), CLONE_NEWNS) == 0, os.strerror(ctypes.get_errno())
            os.chdir(here)  # for which the kernel took the root directory


def empty(folder: Path) -> None:
    """Within `private_mounts`, a folder without what others have in it; what we put there is not kept."""
    folder.mkdir(parents=True, exist_ok=True)
    run("mount", "-t", "tmpfs", "tmpfs", str(folder))


@contextmanager
def private_cgroups() -> Iterator[None]:
    """This process and its children take cgroups of ours for the topmost ones."""
    ours = [Path(top + OWN_CGROUP) for top in _hierarchies()]
    for cgroup in ours:
        _make(cgroup)
    try:
        with private_mounts():
            for cgroup in ours:
                run("mount", "--bind", str(cgroup), str(cgroup.parent))
            yield
    finally:
        for cgroup in ours:
            for folder, _, _ in os.walk(cgroup, topdown=False):
                Path(folder).rmdir()


def _hierarchies() -> list[str]:
    """Where control groups are mounted, of either version."""
    lines = Path("/proc/self/mountinfo").read_text().splitlines()
    return [line.split()[4] for line in lines if line.partition(" - ")[2].split()[0].startswith("cgroup")]


def _hand_down(top: Path) -> None:
    """In version 2 a cgroup has the controllers that the one above it gives away."""
    if (top / "cgroup.subtree_control").exists():
        for controller in (top / "cgroup.controllers").read_text().split():
            (top / "cgroup.subtree_control").write_text(f"+{controller}")


def _make(cgroup: Path) -> None:
    _hand_down(cgroup.parent)
    cgroup.mkdir()
    # In version 1 nothing can enter a new cpuset before it has cpus and memory nodes.
    for name in CPUSET:
        if (cgroup / name).exists() and not (cgroup / "cgroup.type").exists():
            (cgroup / name).write_text((cgroup.parent / name).read_text())
