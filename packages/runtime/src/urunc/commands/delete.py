# SPDX-License-Identifier: Apache-2.0
"""delete: remove all that a container has made, in steps that can each be repeated."""

from __future__ import annotations

import posix

from urunc import kept_hooks, state
from urunc.errors import NotFound, StateError
from urunc.host import cgroups, freezer, process, syscalls
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.cli import Context
    from urunc.state import State

_SIGKILL = 9
_PATIENCE_S = 10.0


class Options(Record):
    """The command line."""

    id: str
    force: bool = False


def run(context: Context, options: Options) -> int:
    """Delete a stopped container, or with --force any; then an unknown one is no error."""
    if options.force:
        state.remove_halves(context.root, state.check_id(options.id))
    try:
        lock = context.lock(options.id)
    except NotFound:
        if options.force:
            return 0
        raise
    try:
        _delete(context, options)
    finally:
        posix.close(lock)
    return 0


def _delete(context: Context, options: Options) -> None:
    directory = state.directory(context.root, options.id)
    try:
        found = state.load(context.root, options.id)
    except StateError:
        if not options.force:
            raise
        state.remove(directory)  # nothing but the directory is known of it
        return
    context.log.phase("state")
    current = state.status(found)
    if current != state.STOPPED:
        _require_force(found, current, options)
    _end(found)
    context.log.phase("processes")
    _remove_network(found)
    context.log.phase("network")
    if found.detached:
        from urunc.host import detach

        detach.attach(found.detached)
    if found.unit:
        from urunc.host import units

        units.stop(found.unit)
    cgroups.remove({*found.made_cgroups, *found.cgroups})
    context.log.phase("cgroups")
    kept_hooks.run(context.log, found, "poststop", state.STOPPED)
    context.log.phase("hooks")
    state.remove(directory)


def _require_force(found: State, current: str, options: Options) -> None:
    # A created container has run nothing yet, so it goes without force, as with runc.
    if not options.force and current != state.CREATED:
        raise StateError(
            f"cannot delete container {found.id} in the {current} state",
            hint="kill it first, or use --force",
        )


def _end(found: State) -> None:
    """Kill what is left of the container, and wait: it is not our child."""
    pidfd = process.open_pidfd(found.pid, found.start_time) if found.pid else None
    if pidfd is not None:
        syscalls.pidfd_send_signal(pidfd, _SIGKILL)
        _thaw(found)
        if not process.wait_for_end(pidfd, _PATIENCE_S):
            raise StateError(f"container {found.id} does not end", hint="its process waits for the kernel")
    _thaw(found)
    cgroups.kill(found.cgroups)


def _thaw(found: State) -> None:
    # In version 1, what is paused does not even die.
    if freezer.is_frozen(found.freezer):
        freezer.thaw(found.freezer)


def _remove_network(found: State) -> None:
    if found.network_path:
        from urunc.host.disconnection import disconnect

        disconnect(found.network_path, found.id)
