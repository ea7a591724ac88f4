# SPDX-License-Identifier: Apache-2.0
"""`bima stop NAME…`"""

from __future__ import annotations

import click

from bima import container as containers
from bima import ending, runtime


@click.command("stop")
@click.option("-t", "--time", "timeout_s", type=click.IntRange(0), default=10, metavar="SECONDS",
    show_default=True, help="kill it after so long",
)  # fmt: skip
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
def command(names: tuple[str, ...], timeout_s: int) -> None:
    """End containers, and free their networks and ports."""
    urunc = runtime.find()
    for container in [containers.find(name) for name in names]:
        ending.stop(container, urunc, timeout_s)
        click.echo(container.name)
