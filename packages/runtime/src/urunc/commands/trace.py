# SPDX-License-Identifier: Apache-2.0
"""trace: where the time of a container went, for people."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from urunc import trace
from urunc.errors import HostError
from urunc_common.record import Record

if TYPE_CHECKING:
    from urunc.cli import Context


class Options(Record):
    """The command line."""

    file: str
    id: str = ""
    svg: str = ""


def run(_context: Context, options: Options) -> int:
    """Print the waterfall of one container's last life, and write it as a picture."""
    try:
        content = Path(options.file).read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise HostError(f"read {options.file}", error) from error
    found = trace.waterfall(trace.parse(content.splitlines(), options.file), options.id)
    if options.svg:
        _write(options.svg, trace.svg(found))
    sys.stdout.write(trace.text(found))
    sys.stdout.flush()
    return 0


def _write(path: str, picture: str) -> None:
    try:
        Path(path).write_text(picture, encoding="utf-8")
    except OSError as error:
        raise HostError(f"write the picture {path}", error) from error
