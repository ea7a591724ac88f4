# SPDX-License-Identifier: Apache-2.0
"""`bima push NAME [DESTINATION]`"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import click

from bima import flags, store
from bima.reference import Reference
from bima.registry.push import push


@click.command("push")
@flags.registry
@click.argument("name")
@click.argument("destination", required=False)
def command(name: str, destination: str | None, **values: Any) -> None:
    """Send an image of the store to the registry in its name, or in DESTINATION, and print its digest."""
    image = store.find(store.default(), name)
    if destination:
        image = replace(image, reference=Reference.parse(destination))
    click.echo(push(image, flags.options(values)))
