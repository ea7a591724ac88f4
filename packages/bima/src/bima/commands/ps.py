# SPDX-License-Identifier: Apache-2.0
"""`bima ps`"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from bima import container as containers
from bima import ending, runtime

if TYPE_CHECKING:
    from bima.container import Container

_COLUMNS = ("NAME", "IMAGE", "CREATED", "STATUS", "PORTS")


@click.command("ps")
@click.option("-a", "--all", "every", is_flag=True, help="those as well that have ended")
@click.option("-q", "--quiet", is_flag=True, help="only the names")
def command(*, every: bool, quiet: bool) -> None:
    """List the containers that run."""
    ending.remove_stale(runtime.find())
    rows = [_row(each) for each in containers.find_all() if every or not each.status]
    lines = [row[:1] for row in rows] if quiet else [list(_COLUMNS), *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(map(str.ljust, line, widths)).rstrip())


def _row(container: Container) -> list[str]:
    facts = container.facts
    status = f"exited ({container.status})" if container.status else "up"
    if facts is None:
        return [container.name, "", "", status, ""]
    return [container.name, facts.image, facts.created, status, ", ".join(facts.ports)]
