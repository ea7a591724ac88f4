# SPDX-License-Identifier: Apache-2.0
"""`bima tree SOURCE [PATH]`"""

from __future__ import annotations

from typing import Any

import click

from bima import flags, listing, viewing
from bima.tree import Directory, Link


@click.command("tree")
@flags.source
@click.argument("path", default="/")
def command(source: str, path: str, platform: str, **values: Any) -> None:
    """Show the files of an image, each below its directory; SOURCE is what bima copy takes."""
    with viewing.opened(source, platform, flags.options(values)) as staged:
        top = staged.tree.resolve(path)
        click.echo(f"/{listing.shown(top)}")
        for name, entry in listing.below(staged.tree, path, source, deep=True):
            inside = name.removeprefix(top).lstrip("/")
            depth, _, last = inside.count("/"), *inside.rpartition("/")[1:]
            mark = "/" if isinstance(entry, Directory) else ""
            target = f" -> {listing.shown(entry.target)}" if isinstance(entry, Link) else ""
            click.echo(f"{'  ' * (depth + 1)}{listing.shown(last)}{mark}{target}")
