# SPDX-License-Identifier: Apache-2.0
"""doctor: what crashes have left, and its removal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from urunc import leftovers
from urunc_common.errors import Error
from urunc_common.record import Record

if TYPE_CHECKING:
    from urunc.cli import Context


class Options(Record):
    """The command line."""

    clean: bool = False


def run(context: Context, options: Options) -> int:
    """Print one line for each leftover, and with --clean remove it; 1 if something is left."""
    left = 0
    for leftover in list(leftovers.find(context)):
        try:
            if options.clean:
                leftover.remove()
            left += not options.clean
            done = "removed " if options.clean else ""
            print(f"{done}{leftover.what}")
        except Error as error:
            left += 1
            print(f"cannot remove {leftover.what}: {error.sentence}", file=sys.stderr)
    sys.stdout.flush()
    return int(left > 0)
