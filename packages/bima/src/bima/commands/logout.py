# SPDX-License-Identifier: Apache-2.0
"""`bima logout REGISTRY`"""

from __future__ import annotations

import os

import click

from bima.errors import RegistryError
from bima.registry import keeping


@click.command("logout")
@click.argument("registry", default="docker.io")
def command(registry: str) -> None:
    """Forget the password for a registry."""
    if not keeping.forget(registry, os.environ):
        raise RegistryError(f"nobody is logged in to {registry}")
