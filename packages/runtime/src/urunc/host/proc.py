# SPDX-License-Identifier: Apache-2.0
"""What /proc says about processes: who they are, and whether they live."""

from __future__ import annotations

import posix

from urunc_common.record import Record


class Stat(Record):
    """What /proc says about a process; the start time tells it from a later one of the same pid."""

    state: str
    parent: int
    start_time: int


def find(pid: int) -> Stat | None:
    """The process, zombies included, or None."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            # The name may hold spaces and brackets, so count fields from its end.
            fields = file.read().rpartition(b") ")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return Stat(fields[0].decode(), int(fields[1]), int(fields[19]))


def is_alive(pid: int, start_time: int) -> bool:
    """Whether this very process still runs; a zombie does not."""
    found = find(pid) if pid > 0 else None
    return found is not None and found.start_time == start_time and found.state not in ("Z", "X")


def executable(pid: int) -> str:
    """The path of what it executes, or "" where that cannot be seen."""
    try:
        return posix.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""
