# SPDX-License-Identifier: Apache-2.0
"""When a container's processes went from one phase to the next, for `urunc trace`.

Loaded only where somebody asks for it.  The lines are those of the existing implementation, TS00 to TS18
included, with more phases and more fields.
"""

from __future__ import annotations

import posix
import time

from urunc import jsontext
from urunc.errors import HostError

FIRST_PROCESS = "init"
# How the existing implementation calls a process, and numbers what it records too.
_PREFIXES = {"create": "CR", "start": "ST", FIRST_PROCESS: "RX"}
_NUMBERS = {
    "CR.invoked": 0, "CR.bundle": 1, "CR.plan": 2, "CR.clone": 3, "RX.invoked": 4, "RX.root": 5,
    "CR.ready": 6, "CR.hooks": 7, "CR.go on": 8, "RX.go on": 9, "CR.end": 10, "ST.invoked": 11,
    "ST.state": 12, "ST.wake": 13, "RX.woken": 14, "RX.namespaces": 15, "RX.network": 16, "RX.files": 17,
    "RX.execve": 18,
}  # fmt: skip


class Recorder:
    """An open file, the container that its lines are about, and the process that writes them."""

    def __init__(self, descriptor: int, process: str, container_id: str) -> None:
        self._descriptor, self._container = descriptor, jsontext.render(container_id)
        # Time goes on as the monotonic clock does, also when somebody sets the other one.
        self._lead = time.time_ns() - time.monotonic_ns()
        self._own_clock = False
        self._speak_for(process)

    def follow(self, *, own_clock: bool) -> None:
        """From now on this is the first process; in a time namespace, the monotonic clock is its own."""
        self._own_clock = own_clock
        self._speak_for(FIRST_PROCESS)

    def _speak_for(self, process: str) -> None:
        self._prefix = _PREFIXES.get(process, process)
        self._process = f'"process":{jsontext.render(process)},"pid":{posix.getpid()}'

    def record(self, phase: str, at: int = 0) -> None:
        """A phase has ended now, or at this time of the monotonic clock.  Raises OSError."""
        if not at:
            at = time.time_ns() - self._lead if self._own_clock else time.monotonic_ns()
        name = f"{self._prefix}.{phase}"
        number = _NUMBERS.get(name)
        numbered = "" if number is None else f'"timestampOrder":{number},'
        identity = name if number is None else f"TS{number:02}"
        line = (
            f'{{"containerID":{self._container},"timestampID":"{identity}","timestampName":"{name}",{numbered}'
            f'"time":{at + self._lead},"monotonic":{at},{self._process}}}\n'
        )
        posix.write(self._descriptor, line.encode())  # one write: others append, too


def start(path: str, process: str, container_id: str) -> Recorder:
    """Append to `path`, in a folder that is made when it is not there.  Raises HostError."""
    try:
        return Recorder(_open(path), process, container_id)
    except OSError as error:
        failure = HostError(f"open {path} for timestamps", error)
        failure.hint = "name another file with --timestamps or timestamps.destination"
        raise failure from error


def _open(path: str) -> int:
    # What follows is never handed on: neither to hooks nor to the monitor.
    flags = posix.O_WRONLY | posix.O_APPEND | posix.O_CREAT | posix.O_CLOEXEC | posix.O_NOCTTY
    try:
        return posix.open(path, flags, 0o644)
    except FileNotFoundError:
        posix.mkdir(path.rpartition("/")[0], 0o755)
        return posix.open(path, flags, 0o644)
