# SPDX-License-Identifier: Apache-2.0
"""`bima build`"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from bima import containerfile, flags, making, recipe
from bima.plan import finish


@click.command("build")
@click.option("-f", "--file", metavar="FILE", help="the Containerfile, - for standard input")
@click.option("--build-arg", "build_args", multiple=True, metavar="NAME[=VALUE]", help="a value for ARG")
@click.option("--target", default="", metavar="STAGE", help="build this stage instead of the last one")
@flags.making
@click.argument("context")
def command(tag: str, file: str | None, target: str, context: str, **values: Any) -> None:
    """Package the unikernel in the directory CONTEXT as an image, and print its digest."""
    reference, targets = making.name(tag), making.targets(values)
    found = recipe.find(file, Path(context))
    statements = containerfile.parse(found.text, found.name)
    with making.making(values) as made:
        staged = made.stage(statements, found, Path(context), target)
        making.deliver(made, finish(staged, made.platform, made.epoch), reference, targets)
