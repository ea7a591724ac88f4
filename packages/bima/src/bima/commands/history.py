# SPDX-License-Identifier: Apache-2.0
"""`bima history SOURCE`"""

from __future__ import annotations

from typing import Any

import click

from bima import base, flags, listing, viewing


@click.command("history")
@flags.source
def command(source: str, platform: str, **values: Any) -> None:
    """Show what made each layer of an image, and its size; SOURCE is what bima copy takes."""
    with viewing.fetched(source, platform, flags.options(values)) as image:
        _, *layers = base.parts_of(image.layout, image.descriptor, source)
        steps = base.history(image.layout.document(image.config_digest), len(layers))
    sizes = iter(layers)
    for step in steps:
        size = 0 if step.empty else next(sizes).size
        click.echo(f"{step.created:20}  {size:>10}  {listing.shown(step.text)}")
