# SPDX-License-Identifier: Apache-2.0
"""`bima pull NAME`"""

from __future__ import annotations

from typing import Any

import click

from bima import flags, sources, store
from bima.choice import Choice
from bima.layout import BuiltImage
from bima.reference import Reference
from bima.sources import Request


@click.command("pull")
@click.option(
    "--platform", default="", metavar="OS/ARCH", help="which image of an index  [default: this machine's]"
)
@flags.registry
@flags.quiet
@click.argument("name")
def command(name: str, platform: str, **values: Any) -> None:
    """Fetch an image from the registry in its name into the store, and print its digest."""
    reference = Reference.parse(name)
    request = Request(
        Choice(platform), flags.options(values), newest=True, report=flags.reporter(quiet=values["quiet"])
    )
    own = store.default()
    with store.draft(own) as draft:
        found = sources.fetch(sources.Source("registry", name), request, draft)
        with own.locked():
            own.add_image(BuiltImage(draft, found.descriptor, reference), link=True)
            own.collect()
    click.echo(found.descriptor.digest)
