# SPDX-License-Identifier: Apache-2.0
"""pause: let the processors of a machine, and all that serves it, stand still."""

from __future__ import annotations

import posix

from urunc import state
from urunc.errors import NotRunning, StateError, Unsupported
from urunc.host import freezer
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.cli import Context


class Options(Record):
    """The command line."""

    id: str


def run(context: Context, options: Options) -> int:
    """Pause a container that is created or runs.  Raises StateError for others."""
    lock = context.lock(options.id)
    try:
        found = state.load(context.root, options.id)
        _require(found, state.status(found))
        freezer.freeze(found.freezer)
    finally:
        posix.close(lock)
    return 0


def _require(found: state.State, current: str) -> None:
    if current == state.STOPPED:
        raise NotRunning(found.id)
    if current not in (state.CREATED, state.RUNNING):
        raise StateError(f"cannot pause container {found.id} in the {current} state")
    if not found.freezer:
        raise Unsupported(
            f"cannot pause container {found.id}: this host has no cgroup that can be frozen",
            hint="mount the cgroup controller freezer, or cgroups of version 2",
        )
