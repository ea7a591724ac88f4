# SPDX-License-Identifier: Apache-2.0
"""How containers end: by themselves, when somebody stops them, or left behind by a bima that was killed."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from bima import container as containers
from bima.container import BRIDGE, UNKNOWN
from bima.errors import ContainerError, NoContainer
from bima.runtime import RUNNING
from urunc_common.errors import Error

if TYPE_CHECKING:
    from bima.container import Container
    from bima.runtime import Runtime

_PAUSE_S = 0.02
_KILLED_S = 10.0


def finish(container: Container, runtime: Runtime, status: str = UNKNOWN) -> None:
    """Remove all of a container that has ended, but for the log and the status of one that is kept.

    The caller holds the container's lock, as with `discard`.
    """
    facts = container.facts
    if facts and facts.keep:
        _clean(container, runtime)
        container.save_status(status)
    else:
        discard(container, runtime)


def discard(container: Container, runtime: Runtime) -> None:
    """Remove all of a container, alive or not."""
    _clean(container, runtime)
    shutil.rmtree(container.path)


def remove_stale(runtime: Runtime) -> None:
    """Finish what nobody looks after any more, and does not run."""
    for container in containers.find_all():
        try:
            _finish_ended(container, runtime)
        except Error as error:
            # It must not keep others from running.
            click.echo(f"bima: container {container.name} is a leftover: {error.sentence}", err=True)


def stop(container: Container, runtime: Runtime, timeout_s: float) -> None:
    """End a container, first kindly; return when it is finished."""
    for signal, patience_s in (("TERM", timeout_s), ("KILL", _KILLED_S)):
        with suppress(ContainerError):  # it ended by itself, or has not begun
            runtime.kill(container.name, signal)
        if _has_finished(container, runtime, patience_s):
            return
    raise ContainerError(f"container {container.name} does not end", hint="try again")


def remove(container: Container, runtime: Runtime, *, force: bool) -> None:
    """Forget a container that has ended; with `force`, any."""
    if force:
        stop(container, runtime, 0)
    if not _finish_ended(container, runtime):
        raise ContainerError(
            f"container {container.name} is running", hint=f"use bima stop {container.name}, or bima rm -f"
        )
    shutil.rmtree(container.path, ignore_errors=True)


def _has_finished(container: Container, runtime: Runtime, patience_s: float) -> bool:
    """Wait until a container has ended and is finished, by us if nobody else looks after it."""
    deadline = time.monotonic() + patience_s
    while not _finish_ended(container, runtime):
        if time.monotonic() > deadline:
            return False
        time.sleep(_PAUSE_S)
    return True


def _finish_ended(container: Container, runtime: Runtime) -> bool:
    """Finish a container that has ended, if nobody else does; whether it is finished."""
    try:
        lock = container.lock()
    except BlockingIOError:
        return False
    except NoContainer:
        return True
    try:
        if not container.status and runtime.status(container.name) == RUNNING:
            return False
        if not container.status:
            finish(container, runtime)
        return True
    finally:
        os.close(lock)


def _clean(container: Container, runtime: Runtime) -> None:
    """Remove everything but the container's directory and the small files in it; can be repeated."""
    facts = container.facts
    runtime.delete(container.name)
    if facts and facts.network == BRIDGE:
        from bima import network  # which takes a while to load

        network.disconnect(container.name)
    if os.geteuid() and container.rootfs.is_dir():
        _let_remove(container.rootfs)
    shutil.rmtree(container.rootfs, ignore_errors=True)


def _let_remove(folder: Path) -> None:
    """An image has directories that their owner may not write to, unless that is root."""
    folder.chmod(0o700)
    for path, names, _ in os.walk(folder):
        for inner in (Path(path, name) for name in names):
            if not inner.is_symlink():
                inner.chmod(0o700)
