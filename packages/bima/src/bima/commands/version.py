# SPDX-License-Identifier: Apache-2.0
"""`bima version`"""

from __future__ import annotations

import click

from bima import __version__


@click.command("version")
def command() -> None:
    """Print the version."""
    click.echo(f"bima {__version__}")
