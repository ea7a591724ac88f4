# SPDX-License-Identifier: Apache-2.0
"""`bima rmi NAME…`"""

from __future__ import annotations

import click

from bima import store


@click.command("rmi")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
def command(names: tuple[str, ...]) -> None:
    """Remove images from bima's own store, with what only they need."""
    store.remove(store.default(), names)
    for name in names:
        click.echo(name)
