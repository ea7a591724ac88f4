# SPDX-License-Identifier: Apache-2.0
"""resume: let a paused machine go on."""

from __future__ import annotations

import posix

from urunc import state
from urunc.errors import StateError
from urunc.host import freezer
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.cli import Context


class Options(Record):
    """The command line."""

    id: str


def run(context: Context, options: Options) -> int:
    """Resume a paused container.  Raises StateError for others."""
    lock = context.lock(options.id)
    try:
        found = state.load(context.root, options.id)
        if (current := state.status(found)) != state.PAUSED:
            raise StateError(f"cannot resume container {found.id} in the {current} state")
        freezer.thaw(found.freezer)
    finally:
        posix.close(lock)
    return 0
