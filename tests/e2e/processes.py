# SPDX-License-Identifier: Apache-2.0
"""Which processes the tests have started, those included that have lost their parent."""

from __future__ import annotations

import ctypes
import os
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

PR_SET_CHILD_SUBREAPER, PR_GET_CHILD_SUBREAPER = 36, 37


class Process(NamedTuple):
    """A process; its start time tells it from another one with the same number."""

    pid: int
    start: int
    command: str


@contextmanager
def adopting_orphans() -> Iterator[None]:
    """Shims, runtimes and monitors that lose their parent become children of the test run, not of init."""
    prctl, before = ctypes.CDLL(None).prctl, ctypes.c_int()
    prctl(PR_GET_CHILD_SUBREAPER, ctypes.byref(before), 0, 0, 0)
    prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    try:
        yield
    finally:
        prctl(PR_SET_CHILD_SUBREAPER, before.value, 0, 0, 0)  # others may be within such a block, too


def descendants() -> set[Process]:
    """Every living process below this one; a zombie is not alive."""
    stats = {
        pid: stat for name in os.listdir("/proc") if name.isdigit() and (stat := _stat(pid := int(name)))
    }
    children: dict[int, list[int]] = {}
    for pid, (_, parent, _) in stats.items():
        children.setdefault(parent, []).append(pid)
    found: set[Process] = set()
    waiting = list(children.get(os.getpid(), []))
    while waiting:
        pid = waiting.pop()
        waiting += children.get(pid, [])
        state, _, start = stats[pid]
        if state not in "ZX":
            found.add(Process(pid, start, _read(f"/proc/{pid}/cmdline").replace("\0", " ").strip()))
    return found


def _read(path: str) -> str:
    try:
        return Path(path).read_text(errors="replace")
    except OSError:
        return ""


def _stat(pid: int) -> tuple[str, int, int] | None:
    """State, parent and start time."""
    fields = _read(f"/proc/{pid}/stat").rpartition(") ")[2].split()
    return (fields[0], int(fields[1]), int(fields[19])) if fields else None
