# SPDX-License-Identifier: Apache-2.0
"""`bima ls SOURCE [PATH]`"""

from __future__ import annotations

from typing import Any

import click

from bima import flags, listing, viewing


@click.command("ls")
@click.option("-R", "--recursive", is_flag=True, help="what is in directories, too")
@flags.source
@click.argument("path", default="/")
def command(source: str, path: str, platform: str, *, recursive: bool, **values: Any) -> None:
    """List the files of an image; SOURCE is what bima copy takes."""
    with viewing.opened(source, platform, flags.options(values)) as staged:
        for name, entry in listing.below(staged.tree, path, source, deep=recursive):
            click.echo(listing.line(name, entry))
