# SPDX-License-Identifier: Apache-2.0
"""`bima build`"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bima import flags, making, recipe
from bima.errors import UsageError
from bima.plan import finish

if TYPE_CHECKING:
    from collections.abc import Callable

    from bima.making import Making
    from bima.recipe import Recipe
    from bima.staged import Staged


@click.command("build")
@click.option(
    "-f", "--file", metavar="FILE", help="the Containerfile, bunnyfile or Kraftfile, - for standard input"
)
@click.option("--build-arg", "build_args", multiple=True, metavar="NAME[=VALUE]", help="a value for ARG")
@click.option("--target", default="", metavar="STAGE", help="build this stage instead of the last one")
@flags.making
@click.argument("context")
def command(tag: str, file: str | None, target: str, context: str, **values: Any) -> None:
    """Package the unikernel in the directory CONTEXT as an image, and print its digest."""
    reference, targets = making.name(tag), making.targets(values)
    stage = _stage(recipe.find(file, Path(context)), Path(context), target, values)
    with making.making(values) as made:
        making.deliver(made, finish(stage(made), made.platform, made.epoch), reference, targets)


def _stage(found: Recipe, context: Path, target: str, values: dict[str, Any]) -> Callable[[Making], Staged]:
    """How the stage is made; what the file says is read first."""
    if found.kind != recipe.CONTAINER:
        if target or values["build_args"]:
            hint = "leave --target and --build-arg out"
            raise UsageError(f"{found.name} has neither stages nor ARG", hint=hint)
        return _package(found, context)
    from bima import containerfile

    statements = containerfile.parse(found.text, found.name)
    return lambda made: made.stage(statements, found, context, target)


def _package(found: Recipe, context: Path) -> Callable[[Making], Staged]:
    """As above, for the files that say what a package is; YAML takes a while to load."""
    from bima import bunnyfile, kraftfile
    from bima.context import Context, find_ignored
    from bima.packer import Packer

    if found.kind == recipe.KRAFT:
        wanted = kraftfile.parse(found.text, found.name, lambda path: (context / path).exists())
    else:
        wanted = bunnyfile.parse(found.text, found.name)
    files = Context(context, find_ignored(context, found.path))
    return lambda made: Packer(wanted, made, files).stage()
