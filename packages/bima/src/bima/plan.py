# SPDX-License-Identifier: Apache-2.0
"""Instructions and a build directory -> everything an image is to be, checked, with nothing written yet."""

from __future__ import annotations

from dataclasses import dataclass
from posixpath import basename
from typing import TYPE_CHECKING

from bima import image, kernel, words
from bima.context import walk
from bima.errors import ContextError, ImageError
from bima.instruction import Cmd, Copy, Entrypoint, Env, From, Instruction, Label
from bima.platform import Platform
from bima.tree import Data, File, Tree
from urunc_common import config as contract

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bima.context import Context, Source
    from bima.tree import Entry
    from urunc_common.config import UnikernelConfig

# containerd refuses to make a container with a longer label.
LONGEST_LABEL = 4096
_MOST_NAMES = 8
_FILES = ("binary", "initrd", "block")


@dataclass(frozen=True)
class PlannedLayer:
    """The files of one layer, and what they are there for."""

    text: str
    entries: Mapping[str, Entry]


@dataclass(frozen=True)
class ImagePlan:
    """An image but for the digests."""

    config: image.ImageConfig
    annotations: Mapping[str, str]
    layers: tuple[PlannedLayer, ...]
    history: tuple[image.Step, ...]
    epoch: int


def plan(
    instructions: Sequence[Instruction], context: Context, platform: Platform | None = None, epoch: int = 0
) -> ImagePlan:
    """Raises what is wrong with any of it."""
    labels = _labels(instructions)
    unikernel = _unikernel(labels)
    annotations = contract.to_annotations(unikernel)
    tree = Tree()
    layers = [_copy(each, context, tree) for each in instructions if isinstance(each, Copy)]
    files = {field: _file(unikernel, field, tree) for field in _FILES if getattr(unikernel, field)}
    layers.append(_stored(annotations, tree))
    platform = _platform(platform, files["binary"], unikernel.binary)
    config = image.ImageConfig(
        architecture=platform.architecture,
        variant=platform.variant,
        created=image.timestamp(epoch),
        env=_env(instructions),
        entrypoint=_last(instructions, Entrypoint),
        cmd=_last(instructions, Cmd) or _old_command(instructions, unikernel.cmdline),
        labels={**_foreign(labels), **annotations},
    )
    return ImagePlan(config, annotations, tuple(layers), _history(instructions), epoch)


def _labels(instructions: Iterable[Instruction]) -> dict[str, str]:
    labels: dict[str, str] = {}
    for label in instructions:
        if isinstance(label, Label):
            for key, value in label.pairs:
                size = len(key.encode()) + len(value.encode())
                if size > LONGEST_LABEL:
                    raise label.line.error(
                        f"label {key} and its value have {size} bytes, more than the {LONGEST_LABEL}"
                        " that containerd takes",
                        "put long text in a file and COPY it",
                    )
            labels.update(label.pairs)
    return labels


def _unikernel(labels: Mapping[str, str]) -> UnikernelConfig:
    if not contract.is_unikernel(labels):
        raise ImageError(
            f"nothing says how to boot this image: there is no LABEL {contract.PREFIX}*",
            hint=f"add a LABEL for each of {', '.join(contract.KEYS[field] for field in contract.REQUIRED)}",
        )
    return contract.from_annotations(labels)


def _foreign(labels: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in labels.items() if not contract.is_unikernel({key: value})}


def _env(instructions: Iterable[Instruction]) -> tuple[str, ...]:
    """In order of their first mention; the last value counts."""
    values = {name: value for env in instructions if isinstance(env, Env) for name, value in env.pairs}
    return tuple(f"{name}={value}" for name, value in values.items())


def _last(instructions: Iterable[Instruction], kind: type[Cmd] | type[Entrypoint]) -> tuple[str, ...]:
    found = [each.words for each in instructions if isinstance(each, kind)]
    return found[-1] if found else ()


def _old_command(instructions: Iterable[Instruction], cmdline: str) -> tuple[str, ...]:
    """Images of old have their command line in a label; the engines want it in the config."""
    if any(isinstance(each, Cmd | Entrypoint) for each in instructions):
        return ()
    try:
        return words.shell(cmdline)
    except ValueError as error:
        raise ImageError(f"{contract.KEYS['cmdline']}: {error}") from error


def _copy(copy: Copy, context: Context, tree: Tree) -> PlannedLayer:
    try:
        sources = [found for source in copy.sources for found in context.resolve(source)]
        _add(copy, sources, tree)
    except (ContextError, ImageError) as error:
        raise type(error)(f"{copy.line.place}: {error}", hint=error.hint) from error
    return PlannedLayer(copy.line.text, tree.take())


def _add(copy: Copy, sources: list[Source], tree: Tree) -> None:
    """Docker's rules: a directory's contents go into the destination, a file goes there or into it."""
    target = copy.destination
    into = target.endswith("/") or basename(target) in (".", "..") or tree.is_directory(target)
    if len(sources) > 1 and not into:
        raise copy.line.error(
            f"{' '.join(copy.sources)} are {len(sources)} files, and {target} is one",
            f"end the destination with a slash: {target}/",
        )
    for source in sources:
        inside = into and not source.path.is_dir()
        top = f"{target}/{source.name}" if inside else target
        for path, entry in walk(source.path):
            tree.add(f"{top}/{path}", entry)


def _stored(annotations: Mapping[str, str], tree: Tree) -> PlannedLayer:
    if tree.find(contract.FILE) is not None:
        raise ImageError(
            f"/{contract.FILE} was copied, but it is made from the labels",
            hint="leave this file out, and say with LABEL what it says",
        )
    tree.add(contract.FILE, Data(image.canonical(contract.encode(annotations))))
    return PlannedLayer(f"/{contract.FILE}", tree.take())


def _file(unikernel: UnikernelConfig, field: str, tree: Tree) -> File:
    """The file of the image that a label names."""
    path = getattr(unikernel, field)
    found = tree.find(path)
    if not isinstance(found, File):
        wrong = "is not a file" if found else "is not"
        raise ImageError(f"{contract.KEYS[field]}: {path} {wrong} in the image", hint=_copied(tree))
    if not found.source.stat().st_size:
        raise ImageError(f"{contract.KEYS[field]}: {path} is empty", hint=f"build {found.source} again")
    return found


def _copied(tree: Tree) -> str:
    files = tree.files()
    more = f" and {len(files) - _MOST_NAMES} more" if len(files) > _MOST_NAMES else ""
    return f"copied are {', '.join(files[:_MOST_NAMES])}{more}" if files else "COPY it"


def _platform(wanted: Platform | None, kernel_file: File, path: str) -> Platform:
    with kernel_file.source.open("rb") as file:
        head = file.read(kernel.HEAD)
    found = kernel.find_architecture(head)
    if wanted and found:
        wanted.require_kernel(found, path)
    return wanted or Platform(kernel.require_architecture(head, path))


def _history(instructions: Iterable[Instruction]) -> tuple[image.Step, ...]:
    steps = [
        image.Step(each.line.text, empty=not isinstance(each, Copy))
        for each in instructions
        if not isinstance(each, From)
    ]
    return (*steps, image.Step(f"bima: /{contract.FILE}", empty=False))
