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
from bima.context import Context, find_ignored
from bima.errors import ContainerfileError, ContextError, ImageNameError, UsageError
from bima.plan import plan
from bima.platform import Platform
from bima.reference import Reference
from bima.stager import Wanted

if TYPE_CHECKING:
    from bima.ignore import Ignore
    from bima.instruction import Statement
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
@click.option("--build-arg", "build_args", multiple=True, metavar="NAME[=VALUE]", help="a value for ARG")
@click.option("--target", default="", metavar="STAGE", help="build this stage instead of the last one")
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
    statements, ignored = _statements(file, Path(context))
    wanted = Wanted(values["target"], _arguments(values["build_args"]))
    chosen = Platform.parse(platform) if platform else None
    planned = plan(statements, Context(context, ignored), chosen, _epoch(), wanted)
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


def _arguments(words: tuple[str, ...]) -> dict[str, str]:
    """NAME=VALUE as it is; NAME alone has our own value."""
    pairs = (word.partition("=")[::2] if "=" in word else (word, os.environ.get(word, "")) for word in words)
    return dict(pairs)


def _statements(file: str | None, context: Path) -> tuple[tuple[Statement, ...], Ignore]:
    """What the Containerfile says, and what it does not see of the directory."""
    if file == "-":
        text = _text(sys.stdin.buffer.read(_LONGEST + 1), "<stdin>")
        return containerfile.parse(text, "<stdin>"), find_ignored(context, None)
    path = Path(file) if file else _found(context)
    try:
        with path.open("rb") as opened:
            data = opened.read(_LONGEST + 1)
    except OSError as error:
        raise ContextError(f"cannot read {path}: {error.strerror}", hint="name the file with -f") from error
    return containerfile.parse(_text(data, str(path)), str(path)), find_ignored(context, path)


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
