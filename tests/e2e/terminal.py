# SPDX-License-Identifier: Apache-2.0
"""Runs a client program on a pseudo-terminal."""

from __future__ import annotations

import os
import pty
import select
import signal
import subprocess
import termios
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from e2e.waiting import PATIENCE_S, Timeout

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


class Terminal:
    """The user's side of the terminal; `text` is what the program has printed, with plain line ends."""

    def __init__(self, master: int, process: subprocess.Popen[bytes]) -> None:
        self.master, self.process, self.text = master, process, ""

    def expect(self, text: str) -> None:
        """Wait until the program has printed `text`."""
        deadline = time.monotonic() + PATIENCE_S
        while text not in self.text:
            if not self._read() or time.monotonic() > deadline:
                raise Timeout(f"{text!r} is not in the output {self.text!r}")

    def send(self, text: str) -> None:
        """Type something."""
        os.write(self.master, text.encode())

    def resize(self, rows: int, columns: int) -> None:
        """Change the window; the kernel tells only those whose controlling terminal it is."""
        termios.tcsetwinsize(self.master, (rows, columns))
        self.process.send_signal(signal.SIGWINCH)

    def end(self) -> int:
        """Wait for the program's end, and return its exit status."""
        deadline = time.monotonic() + PATIENCE_S
        while self._read():
            if time.monotonic() > deadline:
                raise Timeout(f"the program did not end; its output: {self.text!r}")
        return self.process.wait(PATIENCE_S)

    def _read(self) -> bool:
        """Take what there is; False when nobody holds the other side any more."""
        if not select.select([self.master], [], [], 0.2)[0]:
            return True
        try:
            piece = os.read(self.master, 65536)
        except OSError:  # EIO is a terminal's end of file
            return False
        self.text += piece.decode(errors="replace").replace("\r", "")
        return True


@contextmanager
def terminal(argv: Sequence[str]) -> Iterator[Terminal]:
    """Run a program with a pseudo-terminal as its standard input, output and error."""
    master, slave = pty.openpty()
    environment = {"HOME": "/root", "PATH": os.environ["PATH"], "TERM": "dumb"}
    process = subprocess.Popen(
        argv, stdin=slave, stdout=slave, stderr=slave, start_new_session=True, env=environment
    )
    os.close(slave)
    try:
        yield Terminal(master, process)
    finally:
        process.kill()
        process.wait()
        os.close(master)
