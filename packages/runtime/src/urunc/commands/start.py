# SPDX-License-Identifier: Apache-2.0
"""start: release the container's first process, and say whether it became the monitor."""

from __future__ import annotations

import posix

from urunc import kept_hooks, state
from urunc.errors import StateError
from urunc.host import channel
from urunc.host.channel import ANSWER, GO
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.cli import Context
    from urunc.log import Log
    from urunc.state import State


class Options(Record):
    """The command line."""

    id: str


def run(context: Context, options: Options) -> int:
    """Start a created container.  Raises what kept the monitor from running."""
    lock = context.lock(options.id)
    try:
        found = _start(context, options)
    finally:
        posix.close(lock)
    kept_hooks.run(context.log, found, "poststart", state.RUNNING)
    return 0


def _start(context: Context, options: Options) -> State:
    found = state.load(context.root, options.id)
    _require_created(found)
    context.log.phase("state")
    directory = state.directory(context.root, options.id)
    _release(directory, found, context.log)
    running = found.replace(status=state.RUNNING)
    state.save(directory, running)
    context.log.phase("save")
    return running


def _require_created(found: State) -> None:
    current = state.status(found)
    if current != state.CREATED:
        raise StateError(f"cannot start container {found.id} in the {current} state")


def _release(directory: str, found: State, log: Log) -> None:
    answer = posix.open(f"{directory}/{ANSWER}", posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NONBLOCK)
    try:
        go = posix.open(f"{directory}/{GO}", posix.O_WRONLY | posix.O_CLOEXEC | posix.O_NONBLOCK)
    except OSError as error:  # ENXIO: nobody reads it
        raise StateError(f"cannot start container {found.id}: its first process has ended") from error
    posix.write(go, b"s")
    posix.close(go)
    log.phase("wake")
    posix.set_blocking(answer, True)
    channel.hear_start(answer)
    log.phase("started")
    posix.close(answer)
