# SPDX-License-Identifier: Apache-2.0
"""Control groups as hosts of another kind have them, for this process and what it starts."""

from __future__ import annotations

import ctypes
import os
import subprocess
from pathlib import Path

CLONE_NEWNS = 0x20000
CGROUPS = Path("/sys/fs/cgroup")


def enter(view: str) -> None:
    """`v2`: version 2 alone is mounted; `v1`: version 1 alone; `host`: as it is.  Raises OSError."""
    if view == "host":
        return
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS):
        raise OSError(ctypes.get_errno(), "make a mount namespace")
    _run("mount", "--make-rslave", "/")
    {"v2": _version_2, "v1": _version_1}[view]()


def _version_2() -> None:
    if os.path.ismount(CGROUPS / "unified") or not (CGROUPS / "cgroup.controllers").exists():
        _run("umount", "-R", "-l", str(CGROUPS))
        _run("mount", "-t", "cgroup2", "cgroup2", str(CGROUPS))


def _version_1() -> None:
    if os.path.ismount(CGROUPS / "unified"):
        _run("umount", "-l", str(CGROUPS / "unified"))


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
