# SPDX-License-Identifier: Apache-2.0
"""Signals as input: a command in the foreground reads them beside its other descriptors.

A handler that did the work itself could be interrupted by the next signal while it holds a lock.
"""

from __future__ import annotations

import os
import signal
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Self

FORWARDED = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT)
_MANY = 64


class Inbox:
    """While it is open, the forwarded signals do nothing but arrive here."""

    def __init__(self) -> None:
        self.read_end, self._write_end = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)

    def __enter__(self) -> Self:
        signal.set_wakeup_fd(self._write_end, warn_on_full_buffer=False)
        for number in FORWARDED:
            signal.signal(number, lambda *_: None)
        return self

    def __exit__(self, *_: object) -> None:
        for number in FORWARDED:
            signal.signal(number, signal.SIG_DFL)
        signal.set_wakeup_fd(-1)
        os.close(self.read_end)
        os.close(self._write_end)

    def take(self) -> list[int]:
        """The signals that have come since, in their order."""
        try:
            return [number for number in os.read(self.read_end, _MANY) if number in FORWARDED]
        except BlockingIOError:
            return []
