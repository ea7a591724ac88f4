# SPDX-License-Identifier: Apache-2.0
"""Command line options that several commands share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from bima.outputs import Options

Command = Callable[..., Any]


def containerd(command: Command) -> Command:
    """Where containerd is; the variables are those of its own tools."""
    for option in (
        click.option(
            "--snapshotter", envvar="CONTAINERD_SNAPSHOTTER", default="", help="unpack with this one"
        ),
        click.option("-a", "--address", envvar="CONTAINERD_ADDRESS", default="", help="containerd's socket"),
        click.option("-n", "--namespace", envvar="CONTAINERD_NAMESPACE", default="", help="its namespace"),
    ):
        command = option(command)
    return command


def registry(command: Command) -> Command:
    """How to talk to a registry."""
    for option in (
        click.option(
            "--tls-verify/--no-tls-verify", "verify_tls", default=True, help="check the certificate"
        ),
        click.option("--ca-file", default="", metavar="FILE", help="trust these certificates as well"),
        click.option("--plain-http", is_flag=True, help="talk to the registry without TLS"),
    ):
        command = option(command)
    return command


def quiet(command: Command) -> Command:
    """Print nothing but the result."""
    return click.option("-q", "--quiet", is_flag=True, help="no progress, only the result")(command)


def options(values: dict[str, Any]) -> Options:
    """The options among a command's values."""
    return Options(**{name: values[name] for name in Options.__dataclass_fields__ if name in values})


def reporter(*, quiet: bool) -> Callable[[str], None]:
    """Where progress goes: to stderr, or nowhere."""
    return (lambda _line: None) if quiet else (lambda line: click.echo(line, err=True))
