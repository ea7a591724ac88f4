# SPDX-License-Identifier: Apache-2.0
"""`bima cat SOURCE PATH…`"""

from __future__ import annotations

import sys
from typing import Any

import click

from bima import contents, flags, listing, viewing


@click.command("cat")
@flags.source
@click.argument("paths", nargs=-1, required=True, metavar="PATH...")
def command(source: str, paths: tuple[str, ...], platform: str, **values: Any) -> None:
    """Print files of an image; SOURCE is what bima copy takes."""
    with viewing.opened(source, platform, flags.options(values)) as staged:
        for entry in [listing.file(staged.tree, path, source) for path in paths]:
            with contents.opened(entry) as file:
                for piece in file.pieces():
                    sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
