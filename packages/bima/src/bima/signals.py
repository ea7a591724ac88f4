# SPDX-License-Identifier: Apache-2.0
"""Signals while a container runs: held back, so that nothing is left half done, and handed on."""

from __future__ import annotations

import os
import signal
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_STOP = (*_ENDING, signal.SIGQUIT)
_FROM_KERNEL = 0x80
_masks: list[set[int]] = []


def interrupt() -> None:
    """From now on, every signal that ends a program ends it as Ctrl-C does: with an exception."""
    for number in _ENDING:
        signal.signal(number, signal.default_int_handler)
    # A library's child must not come back through our own stack, and clean up what is still in use.
    os.register_at_fork(before=_hold, after_in_parent=_release, after_in_child=_become_ordinary)


def _hold() -> None:
    _masks.append(signal.pthread_sigmask(signal.SIG_BLOCK, _ENDING))


def _release() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, _masks.pop())


def _become_ordinary() -> None:
    for number in _ENDING:
        signal.signal(number, signal.SIG_DFL)
    _release()


@contextmanager
def held() -> Iterator[None]:
    """No signal is delivered inside."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (*_STOP, signal.SIGCHLD))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def wait(pid: int, forward: Callable[[int], None]) -> int:
    """Wait for a child's end, with signals held; its exit code, or the signal that killed it, negative."""
    while True:
        ended, status = os.waitpid(pid, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        found = signal.sigwaitinfo((*_STOP, signal.SIGCHLD))
        if found.si_signo == signal.SIGHUP:
            forward(signal.SIGTERM)  # for guests it means other things than that the terminal is gone
        elif found.si_signo != signal.SIGCHLD and found.si_code != _FROM_KERNEL:
            forward(found.si_signo)  # what the terminal sends, it sends to the child as well
