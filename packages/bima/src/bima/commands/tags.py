# SPDX-License-Identifier: Apache-2.0
"""`bima tags REPOSITORY`"""

from __future__ import annotations

from typing import Any

import click

from bima import flags
from bima.reference import Reference
from bima.registry.tags import tags


@click.command("tags")
@flags.registry
@click.argument("repository")
def command(repository: str, **values: Any) -> None:
    """List the tags that a repository has in its registry."""
    for each in sorted(tags(Reference.parse(repository), flags.options(values))):
        click.echo(each)
