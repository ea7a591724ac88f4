# SPDX-License-Identifier: Apache-2.0
"""A relay in the foreground: its user waits for it, sees its terminal, and sends it signals."""

from __future__ import annotations

import os
import select
from typing import TYPE_CHECKING

from urunc import relay as relays
from urunc.host import console, process
from urunc.inbox import Inbox
from urunc.terminal import Relay, preserved_streams

if TYPE_CHECKING:
    from collections.abc import Callable


def attend(fork: Callable[[relays.Signals, int], int], *, terminal: bool) -> int:
    """Fork a relay with these signals and this terminal, and stay until it ends; its status."""
    master, slave = console.open_terminal(None, 0) if terminal else (-1, -1)
    pid = fork(relays.catch_signals(), slave)
    with preserved_streams(), Inbox() as inbox:
        if terminal:
            os.close(slave)
            with Relay(master) as relay:
                relay.run(inbox.read_end, lambda: _forward(pid, inbox))
        return _wait(pid, inbox)


def _wait(pid: int, inbox: Inbox) -> int:
    pidfd = os.pidfd_open(pid)
    while pidfd not in select.select([pidfd, inbox.read_end], [], [])[0]:
        _forward(pid, inbox)
    os.close(pidfd)
    return process.exit_status(os.waitpid(pid, 0)[1])


def _forward(pid: int, inbox: Inbox) -> None:
    """It is our child, so there is no other process of this number."""
    for number in inbox.take():
        os.kill(pid, number)
