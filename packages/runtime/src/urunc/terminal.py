# SPDX-License-Identifier: Apache-2.0
"""The user's terminal while a container runs in the foreground: raw, relayed, and as it was afterwards."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import signal
import termios
import tty
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Self

_STREAMS = (0, 1, 2)
_SIZE = 65536


@contextlib.contextmanager
def preserved_streams() -> Iterator[None]:
    """Restore flags and modes of our streams: a monitor that was killed cannot do that itself."""
    flags = {stream: fcntl.fcntl(stream, fcntl.F_GETFL) for stream in _STREAMS}
    modes = {stream: termios.tcgetattr(stream) for stream in _STREAMS if os.isatty(stream)}
    try:
        yield
    finally:
        for stream, value in flags.items():
            fcntl.fcntl(stream, fcntl.F_SETFL, value)
        for stream, mode in modes.items():
            termios.tcsetattr(stream, termios.TCSADRAIN, mode)


def copy_size(master: int) -> None:
    """Give another terminal the size of ours."""
    fcntl.ioctl(master, termios.TIOCSWINSZ, fcntl.ioctl(0, termios.TIOCGWINSZ, bytes(8)))


class Relay:
    """Copies between our streams and the master of a container's terminal, until that is let go of."""

    def __init__(self, master: int) -> None:
        self._master = master
        self._inputs = [0]

    def __enter__(self) -> Self:
        if os.isatty(0):
            tty.setraw(0)
            signal.signal(signal.SIGWINCH, lambda *_: copy_size(self._master))
            copy_size(self._master)
        return self

    def __exit__(self, *_: object) -> None:
        signal.signal(signal.SIGWINCH, signal.SIG_DFL)
        os.close(self._master)

    def run(self, other: int, attend: Callable[[], None]) -> None:
        """Return when the other side has closed its terminal; `attend` to another descriptor meanwhile."""
        while True:
            ready, _, _ = select.select([self._master, other, *self._inputs], [], [])
            if other in ready:
                attend()
            if self._master in ready and not self._copy(self._master, 1):
                return
            if 0 in ready and not self._copy(0, self._master):
                self._inputs = []

    def _copy(self, source: int, target: int) -> bool:
        try:
            data = os.read(source, _SIZE)
        except OSError:  # EIO: the last slave is closed
            return False
        rest = data
        while rest:
            rest = rest[os.write(target, rest) :]
        return bool(data)
