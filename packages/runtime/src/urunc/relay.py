# SPDX-License-Identifier: Apache-2.0
"""The relay: what an engine takes for the process that it has started in a guest.

It copies between its standard streams and the guest, hands on the signals that it gets, and ends as the
program ends.  If it is killed, so is the program.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C half of `signal`
import fcntl
import posix
import select

from urunc import frames
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.host.exec_port import Talk

_TIOCGWINSZ = 0x5413
# What a pipe takes without waiting, once it takes anything.
_PIECE = 4096
_KILLED = 128 + int(_signal.SIGKILL)
# Faults are ours, the rest means something else or cannot be handed on.
_OWN = frozenset(
    int(getattr(_signal, f"SIG{name}"))
    for name in ("KILL", "STOP", "CHLD", "PIPE", "SEGV", "BUS", "FPE", "ILL", "TRAP")
)
_OUTPUTS = {frames.STDOUT: 1, frames.STDERR: 2}


class Signals(Record):
    """Signals arrive here as bytes."""

    inbox: int
    outbox: int


def catch_signals() -> Signals:
    """From now on, a signal does nothing else; a child that is forked goes on like this."""
    inbox, outbox = posix.pipe2(posix.O_CLOEXEC | posix.O_NONBLOCK)
    _signal.set_wakeup_fd(outbox, warn_on_full_buffer=False)
    for number in range(1, _signal.NSIG):
        if number not in _OWN:
            try:
                _signal.signal(number, _do_nothing)
            except OSError:
                continue  # the C library keeps it for itself
    return Signals(inbox, outbox)


def _do_nothing(_number: int, _frame: object) -> None:
    """The byte in the inbox is all."""


class Relay:
    """One program; standard streams are those of this process."""

    def __init__(self, talk: Talk, inbox: int, *, terminal: bool) -> None:
        self._talk, self._inbox, self._terminal = talk, inbox, terminal
        self._status: int | None = None
        self._there = True
        self._reads = True
        self._waits = False
        self._output: dict[bytes, bytes] = {}

    def run(self) -> int:
        """Until the program ends; its status."""
        if self._terminal:
            self._tell_size()
        while self._there and self._status is None:
            self._step()
        while any(self._output.values()):
            self._write(next(kind for kind, data in self._output.items() if data))
        return _KILLED if self._status is None else self._status

    def _step(self) -> None:
        ready = self._wait()
        if self._inbox in ready:
            self._hand_on_signals()
        for kind in [kind for kind, data in self._output.items() if data and _OUTPUTS[kind] in ready]:
            self._write(kind)
        if self._reads and not self._waits and 0 in ready:
            self._read()
        if self._talk.has_heard or self._talk.connection.fileno() in ready:
            self._listen()

    def _wait(self) -> set[int]:
        poll = select.poll()
        poll.register(self._talk.connection, select.POLLIN)
        poll.register(self._inbox, select.POLLIN)
        if self._reads and not self._waits:
            poll.register(0, select.POLLIN)
        for kind in [kind for kind, data in self._output.items() if data]:
            poll.register(_OUTPUTS[kind], select.POLLOUT)
        return {descriptor for descriptor, _ in poll.poll(0 if self._talk.has_heard else None)}

    def _listen(self) -> None:
        heard = self._talk.listen()
        if heard is None:
            self._there = False
        for kind, data in heard or ():
            if kind in _OUTPUTS:
                self._take_output(kind, data)
            elif kind == frames.TAKEN:
                self._waits = False
            elif kind == frames.EXIT:
                self._status = data[0]

    def _take_output(self, kind: bytes, data: bytes) -> None:
        if data:
            self._output[kind] = data
        elif not self._terminal:
            # Whoever reads sees the end now, not when the program ends.
            null = posix.open("/dev/null", posix.O_WRONLY)
            posix.dup2(null, _OUTPUTS[kind])
            posix.close(null)

    def _write(self, kind: bytes) -> None:
        data = self._output[kind]
        try:
            data = data[posix.write(_OUTPUTS[kind], data[:_PIECE]) :]
        except BlockingIOError:
            return
        except OSError:
            data = b""  # nobody reads it any more
        self._output[kind] = data
        if not data and self._there:
            self._say(frames.frame(frames.TAKEN, kind))

    def _read(self) -> None:
        try:
            data = posix.read(0, frames.LONGEST)
        except BlockingIOError:
            return
        except OSError:
            data = b""  # EIO: the terminal is gone
        self._waits, self._reads = bool(data), bool(data)
        if data or not self._terminal:
            self._say(frames.frame(frames.STDIN, data))

    def _hand_on_signals(self) -> None:
        for number in posix.read(self._inbox, _PIECE):
            if number != _signal.SIGWINCH:
                self._say(frames.frame(frames.SIGNAL, bytes([number])))
            elif self._terminal:
                self._tell_size()

    def _tell_size(self) -> None:
        size = fcntl.ioctl(0, _TIOCGWINSZ, bytes(8))
        rows, columns = (int.from_bytes(size[at : at + 2], "little") for at in (0, 2))
        if rows and columns:
            self._say(frames.window(rows, columns))

    def _say(self, data: bytes) -> None:
        try:
            self._talk.say(data)
        except OSError:
            self._there = False
