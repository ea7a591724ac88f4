# SPDX-License-Identifier: Apache-2.0
"""`bima login REGISTRY`"""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from bima import flags
from bima.errors import UsageError
from bima.registry import keeping
from bima.registry.client import check
from bima.registry.credentials import Credential

_LONGEST = 1 << 16


@click.command("login")
@click.option("-u", "--username", metavar="NAME", help="[default: it is asked for]")
@click.option("--password-stdin", is_flag=True, help="read the password from standard input")
@flags.registry
@click.argument("registry", default="docker.io")
def command(registry: str, username: str | None, *, password_stdin: bool, **values: Any) -> None:
    """Try a password, and keep it where docker and podman find it, too."""
    name = username or click.prompt("User", err=True)
    credential = Credential(name, _password(from_stdin=password_stdin))
    check(registry, credential, flags.options(values))
    where = keeping.keep(registry, credential, os.environ)
    click.echo(f"{name} may use {registry}; the password is in {where}", err=True)


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        found = sys.stdin.read(_LONGEST).rstrip("\r\n")
    elif sys.stdin.isatty():
        found = click.prompt("Password", hide_input=True, err=True)
    else:
        raise UsageError("there is no terminal to ask for a password", hint="say --password-stdin")
    if not found:
        raise UsageError("the password is empty")
    return str(found)
