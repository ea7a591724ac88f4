# SPDX-License-Identifier: Apache-2.0
"""Which of the container's limits hold for its monitor.  Pure.

All of them hold for the program in a Linux guest, whose kernel sees to that.  The monitor gets those that do
not end it: its memory, its time and its files are the whole guest's.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# How much a monitor needs, measured and rounded up; of the rest nothing.
_LEAST = {
    "RLIMIT_CORE": 0, "RLIMIT_NPROC": 128, "RLIMIT_NOFILE": 256, "RLIMIT_MEMLOCK": 0, "RLIMIT_LOCKS": 0,
    "RLIMIT_SIGPENDING": 64, "RLIMIT_MSGQUEUE": 0, "RLIMIT_NICE": 0, "RLIMIT_RTPRIO": 0,
}  # fmt: skip


def of_monitor(asked: Iterable[tuple[str, int, int]]) -> Iterator[tuple[str, int, int]]:
    """As asked for, but no less than it needs."""
    for name, soft, hard in asked:
        if name in _LEAST:
            yield name, max(soft, _LEAST[name]), max(hard, _LEAST[name])
