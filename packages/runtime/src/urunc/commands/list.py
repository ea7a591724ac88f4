# SPDX-License-Identifier: Apache-2.0
"""list: the containers below a state root."""

from __future__ import annotations

import os
import sys

from urunc import jsontext, state
from urunc.errors import StateError, UsageError
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.cli import Context

_COLUMNS = ("id", "pid", "status", "bundle", "created")


class Options(Record):
    """The command line."""

    format: str = "table"
    quiet: bool = False


def run(context: Context, options: Options) -> int:
    """Print them as a table, as JSON, or the ids alone."""
    if options.format not in ("table", "json"):
        raise UsageError(f"invalid format {options.format!r}", hint="use table or json")
    rows = [row for name in _names(context.root) if (row := _row(context, name))]
    if options.quiet:
        lines = [str(row["id"]) for row in rows]
    elif options.format == "json":
        lines = [jsontext.render(rows)]
    else:
        lines = _table([_COLUMNS, *(tuple(str(row[name]) for name in _COLUMNS) for row in rows)])
    sys.stdout.write("".join(f"{line}\n" for line in lines))
    sys.stdout.flush()
    return 0


def _names(root: str) -> list[str]:
    try:
        return sorted(name for name in os.listdir(root) if not name.startswith("."))
    except FileNotFoundError:
        return []


def _row(context: Context, name: str) -> dict[str, object] | None:
    try:
        found = state.load(context.root, name)
    except StateError as error:
        if os.path.exists(f"{context.root}/{name}/{state.FILE}"):
            context.log.warning(error.sentence)
        return None
    return {**state.document(found, state.status(found)), "created": found.created}


def _table(rows: list[tuple[str, ...]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    head, *body = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    )
    return [head.upper(), *body]
