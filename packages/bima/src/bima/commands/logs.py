# SPDX-License-Identifier: Apache-2.0
"""`bima logs NAME`"""

from __future__ import annotations

import shutil
import sys

import click

from bima import container as containers
from bima.errors import ContainerError


@click.command("logs")
@click.argument("name")
def command(name: str) -> None:
    """Print what a container in the background has printed so far."""
    container = containers.find(name)
    if not container.log.exists():
        raise ContainerError(f"container {name} has no log: it runs in the foreground")
    with container.log.open("rb") as log:
        shutil.copyfileobj(log, sys.stdout.buffer)
