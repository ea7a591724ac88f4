# SPDX-License-Identifier: Apache-2.0
"""`bima tag NAME NEW`"""

from __future__ import annotations

import click

from bima import making, store


@click.command("tag")
@click.argument("name")
@click.argument("new")
def command(name: str, new: str) -> None:
    """Give an image of the store another name, too."""
    reference, own = making.name(new), store.default()
    with own.locked():
        own.tag(reference, store.find(own, name).descriptor)
        own.collect()
