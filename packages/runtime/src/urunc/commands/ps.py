# SPDX-License-Identifier: Apache-2.0
"""ps: the processes of a container, which is its monitor and what the monitor needs beside it."""

from __future__ import annotations

import subprocess
import sys

from urunc import jsontext, state
from urunc.errors import UsageError
from urunc.host import cgroups
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.cli import Context


class Options(Record):
    """The command line."""

    id: str
    format: str = "table"


def run(context: Context, options: Options) -> int:
    """Print their pids as JSON, or what `ps -ef` says of them."""
    if options.format not in ("table", "json"):
        raise UsageError(f"invalid format {options.format!r}", hint="use table or json")
    context.require_ours(options.id)
    found = state.load(context.root, options.id)
    pids = sorted({pid for cgroup in found.cgroups for pid in cgroups.members(cgroup)})
    sys.stdout.write(jsontext.render(pids) + "\n" if options.format == "json" else _table(pids))
    sys.stdout.flush()
    return 0


def _table(pids: list[int]) -> str:
    command = ["ps", "-o", "uid,pid,ppid,stime,time,args", "-p", ",".join(map(str, pids)) or "0"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout
