# SPDX-License-Identifier: Apache-2.0
"""doctor: what this host has and lacks, what crashes have left, and its removal."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from urunc import diagnosis, leftovers
from urunc.errors import UsageError
from urunc.host import examination
from urunc_common.errors import Error
from urunc_common.record import Record

if TYPE_CHECKING:
    from urunc.cli import Context


class Options(Record):
    """The command line."""

    clean: bool = False
    format: str = "table"


def run(context: Context, options: Options) -> int:
    """Print it, or with --clean remove what is left; 1 if something is left, or lacks that is needed."""
    if options.format not in ("table", "json"):
        raise UsageError(f"invalid format {options.format!r}", hint="use table or json")
    if options.clean:
        return _clean(context)
    findings = list(examination.examine(context.settings))
    left = [leftover.what for leftover in leftovers.find(context)]
    if options.format == "json":
        print(json.dumps({"findings": diagnosis.documents(findings), "leftovers": left}, indent=2))
    else:
        sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]  # it is a text file
        print(*diagnosis.table(findings), *left, sep="\n")
    sys.stdout.flush()
    return int(bool(left) or any(one.needed and not one.good for one in findings))


def _clean(context: Context) -> int:
    left = 0
    for leftover in list(leftovers.find(context)):
        try:
            leftover.remove()
            print(f"removed {leftover.what}")
        except Error as error:
            left += 1
            print(f"cannot remove {leftover.what}: {error.sentence}", file=sys.stderr)
    sys.stdout.flush()
    return int(left > 0)
