# SPDX-License-Identifier: Apache-2.0
"""A container in the foreground: the runtime stays as our child, with our terminal."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING

from bima import signals
from bima.errors import ContainerError

if TYPE_CHECKING:
    from bima.container import Container
    from bima.runtime import Runtime

_CHUNK = 1 << 16
# Python ignores these, and a child would inherit that.
_DEFAULT = (signal.SIGPIPE, signal.SIGXFSZ)


def run(container: Container, runtime: Runtime, *, interactive: bool, terminal: bool) -> int:
    """Run a container to its end; what became of the runtime, as `signals.wait` says it."""
    stdin = _input(interactive=interactive, terminal=terminal)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with signals.held():
        try:
            child = os.posix_spawn(
                runtime.program,
                runtime.run_argv(container),
                os.environ,
                file_actions=[(os.POSIX_SPAWN_DUP2, stdin, 0)] if stdin else [],
                setsigmask=before,
                setsigdef=_DEFAULT,
            )
        finally:
            if stdin:
                os.close(stdin)
        return signals.wait(child, lambda number: _forward(container, runtime, child, number))


def _forward(container: Container, runtime: Runtime, child: int, number: int) -> None:
    """Tell the guest.  The runtime itself ends when the guest has, and gives our terminal back."""
    try:
        runtime.kill(container.name, str(number))
    except ContainerError:  # there is no guest yet
        os.kill(child, number)


def _input(*, interactive: bool, terminal: bool) -> int:
    """What the guest reads from; 0 is our own input.

    A monitor that has a terminal takes it over, and no Ctrl-C comes from it any more.  So it gets one only
    where that is wanted.
    """
    if not interactive:
        return os.open(os.devnull, os.O_RDONLY)
    if terminal or not os.isatty(0):
        return 0
    there, here = os.pipe()
    threading.Thread(target=_copy, args=(here,), daemon=True).start()
    return there


def _copy(here: int) -> None:
    while data := os.read(0, _CHUNK):
        os.write(here, data)
    os.close(here)
