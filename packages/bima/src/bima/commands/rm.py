# SPDX-License-Identifier: Apache-2.0
"""`bima rm NAME…`"""

from __future__ import annotations

import click

from bima import container as containers
from bima import ending, runtime


@click.command("rm")
@click.option("-f", "--force", is_flag=True, help="end those that run")
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
def command(names: tuple[str, ...], *, force: bool) -> None:
    """Remove containers that have ended, with their logs."""
    urunc = runtime.find()
    for container in [containers.find(name) for name in names]:
        ending.remove(container, urunc, force=force)
        click.echo(container.name)
