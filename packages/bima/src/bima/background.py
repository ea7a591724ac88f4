# SPDX-License-Identifier: Apache-2.0
"""A container in the background: a process of ours stays with it, and finishes it when it ends."""

from __future__ import annotations

import ctypes
import os
import subprocess
from contextlib import suppress
from typing import TYPE_CHECKING, NoReturn

from bima import signals
from bima.errors import ContainerError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bima.container import Container
    from bima.runtime import Runtime

_PR_SET_CHILD_SUBREAPER = 36
_STARTED = b"started"


def start(container: Container, runtime: Runtime, finish: Callable[[int], None]) -> None:
    """Start a container and leave it to a child of ours, which calls `finish` with the status in the end.

    Raises ContainerError if it does not start; then nobody calls `finish`.
    """
    there, here = os.pipe()
    with signals.held():
        child = os.fork()
        if child == 0:
            _stay(container, runtime, finish, here)
        os.close(here)
        with open(there, "rb") as answer:
            started = answer.read() == _STARTED
        if not started:
            os.waitpid(child, 0)
    if not started:
        raise ContainerError(
            container.log.read_text(errors="replace").strip() or f"{runtime.program} did not start"
        )


def _stay(container: Container, runtime: Runtime, finish: Callable[[int], None], answer: int) -> NoReturn:
    """Never returns: what our caller has to clean up is our caller's."""
    try:
        _leave_terminal(container)
        monitor = _start(container, runtime)
        os.write(answer, _STARTED)
        os.close(answer)
        finish(signals.wait(monitor, lambda _number: _stop(container, runtime)))
    finally:
        os._exit(1)


def _leave_terminal(container: Container) -> None:
    os.setsid()
    os.chdir("/")
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
    for path, opened, streams in ((os.devnull, os.O_RDONLY, (0,)), (str(container.log), flags, (1, 2))):
        descriptor = os.open(path, opened, 0o600)
        for stream in streams:
            os.dup2(descriptor, stream)
        os.close(descriptor)


def _start(container: Container, runtime: Runtime) -> int:
    """The process of the monitor, which becomes our child when the runtime has ended."""
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    file = container.path / "pid"
    done = subprocess.run(runtime.run_argv(container, "--detach", "--pid-file", str(file)), check=False)
    if done.returncode != 0:
        os._exit(1)
    return int(file.read_text())


def _stop(container: Container, runtime: Runtime) -> None:
    with suppress(ContainerError):  # it has just ended
        runtime.kill(container.name, "TERM")
