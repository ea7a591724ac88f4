# SPDX-License-Identifier: Apache-2.0
"""`bima build`"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from bima import containerfile, flags, outputs, store
from bima.build import build
from bima.context import Context
from bima.errors import ContainerfileError, ContextError, ImageNameError, UsageError
from bima.plan import plan
from bima.platform import Platform
from bima.reference import Reference

if TYPE_CHECKING:
    from bima.instruction import Instruction
    from bima.outputs import Output

_NAMES = ("Containerfile", "Dockerfile")
_LONGEST = 1 << 20


@click.command("build")
@click.option("-t", "--tag", required=True, metavar="NAME", help="the image's name")
@click.option("-f", "--file", metavar="FILE", help="the Containerfile, - for standard input")
@click.option(
    "-o", "--output", "targets", multiple=True, metavar="OUTPUT", help="store, oci:DIR, oci-archive:FILE, "
    "containerd, docker or registry; several are possible  [default: store]",
)  # fmt: skip
@click.option("--push", is_flag=True, help="the same as -o registry")
@click.option("--tar", is_flag=True, help="the same as -o tar: an archive called like the image")
@click.option("--platform", metavar="linux/ARCH", help="instead of the kernel file's own architecture")
@flags.containerd
@flags.registry
@flags.quiet
@click.argument("context")
def command(tag: str, file: str | None, platform: str | None, context: str, **values: Any) -> None:
    """Package the unikernel in the directory CONTEXT as an image, and print its digest."""
    reference = _reference(tag)
    targets = _targets(values)
    report = flags.reporter(quiet=values["quiet"])
    instructions = _instructions(file, context)
    planned = plan(instructions, Context(context), Platform.parse(platform) if platform else None, _epoch())
    options = flags.options(values)
    with store.draft(store.default()) as draft:
        image = build(planned, draft, reference, report)
        for target in targets:
            report(f"to {target}")
            outputs.load(target.name)(image, target.destination, options)
    click.echo(image.descriptor.digest)


def _reference(tag: str) -> Reference:
    reference = Reference.parse(tag)
    if reference.digest:
        raise ImageNameError(
            f"{tag} has a digest, which only the finished image can have", hint="leave it out"
        )
    return reference


def _targets(values: dict[str, Any]) -> list[Output]:
    """What is asked for, each once; bima's own store if that is nothing."""
    words = [
        *values["targets"],
        *(["tar"] if values["tar"] else []),
        *(["registry"] if values["push"] else []),
    ]
    return list(dict.fromkeys(outputs.parse(word) for word in words or ["store"]))


def _instructions(file: str | None, context: str) -> tuple[Instruction, ...]:
    if file == "-":
        return containerfile.parse(_text(sys.stdin.buffer.read(_LONGEST + 1), "<stdin>"), "<stdin>")
    path = Path(file) if file else _found(Path(context))
    try:
        with path.open("rb") as opened:
            data = opened.read(_LONGEST + 1)
    except OSError as error:
        raise ContextError(f"cannot read {path}: {error.strerror}", hint="name the file with -f") from error
    return containerfile.parse(_text(data, str(path)), str(path))


def _found(context: Path) -> Path:
    for name in _NAMES:
        if (context / name).is_file():
            return context / name
    if not context.is_dir():
        raise ContextError(f"the build directory {context} is not a directory")
    raise ContextError(f"{context} has no {' or '.join(_NAMES)}", hint="write one, or name it with -f")


def _text(data: bytes, name: str) -> str:
    if len(data) > _LONGEST:
        raise ContextError(f"{name} has over {_LONGEST} bytes", hint="is it a Containerfile?")
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ContainerfileError(name, line, "this is not UTF-8 text") from error
    if "\0" in text:
        raise ContainerfileError(name, text.count("\n", 0, text.index("\0")) + 1, "this is not text")
    return text


def _epoch() -> int:
    value = os.environ.get("SOURCE_DATE_EPOCH", "") or "0"
    if not (value.isascii() and value.isdigit() and len(value) <= 11):
        raise UsageError(f"SOURCE_DATE_EPOCH is {value!r}", hint="set it to seconds since 1970, or unset it")
    return int(value)
