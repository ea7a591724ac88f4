# SPDX-License-Identifier: Apache-2.0
"""What a container may leave behind: a snapshot before, another one after, and nothing may be new."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

from daemons import run
from e2e.processes import descendants
from e2e.waiting import Timeout, eventually

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

SETTLE_S = 15.0
NAMED_NAMESPACES = Path("/run/netns")


class Leftovers:
    """The host as it was when this was made; `check` says what is new since.

    Cgroups count below those called `namespace` if `mark` is in their name, mounts if they mention the
    engine's folder, and every entry of the folders that have the state of containers.
    """

    def __init__(self, namespace: str, engine: Path, states: Iterable[Path], mark: str = "") -> None:
        self.namespace, self.engine, self.states, self.mark = namespace, engine, tuple(states), mark
        self.before = self._now()

    def check(self) -> None:
        """Fail unless everything new goes away: engines clean up in their own time."""
        try:
            eventually(lambda: not self._new(), "clean-up", SETTLE_S)
        except Timeout:
            left = "\n".join(sorted(self._new()))
            raise AssertionError(f"left behind:\n{left}") from None

    def _new(self) -> set[str]:
        return self._now() - self.before

    def _now(self) -> set[str]:
        return {
            *(f"process {process.pid}: {process.command}" for process in descendants()),
            *(f"mount {line}" for line in self._mounts()),
            *(f"network interface {name}" for _, name in socket.if_nameindex()),
            *(f"network namespace {path}" for path in NAMED_NAMESPACES.glob("*")),
            *(f"packet filter rule {line}" for line in _rules()),
            *(f"cgroup {path}" for path in self._cgroups() if self.mark in path.name),
            *(f"state {path}" for folder in self.states for path in folder.glob("*")),
        }

    def _mounts(self) -> Iterator[str]:
        for line in Path("/proc/self/mounts").read_text().splitlines():
            if any(str(folder) in line for folder in (self.engine, *self.states)):
                yield line

    def _cgroups(self) -> Iterator[Path]:
        """In every hierarchy, whether version 1 or 2 or both."""
        top = Path("/sys/fs/cgroup")
        for parent in (*top.glob(self.namespace), *top.glob(f"*/{self.namespace}")):
            # os.walk does not mind when cgroups of others go away meanwhile.
            for folder, names, _ in os.walk(parent):
                yield from (Path(folder, name) for name in names)


def _rules() -> list[str]:
    done = run("iptables-save", check=False)
    return [line for line in done.stdout.splitlines() if line.startswith("-A")]
