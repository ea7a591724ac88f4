# SPDX-License-Identifier: Apache-2.0
"""Statements and a build directory -> everything an image is to be, checked, with nothing written yet."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bima import contents, image, kernel, words
from bima.errors import ImageError
from bima.platform import Platform
from bima.staged import PlannedLayer
from bima.stager import Stager
from bima.tree import Data, File, Packed
from urunc_common import config as contract
from urunc_common import ports

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bima.context import Context
    from bima.instruction import Statement
    from bima.staged import Staged
    from bima.stager import Wanted
    from bima.tree import Regular, Tree
    from urunc_common.config import UnikernelConfig

_MOST_NAMES = 8
_LARGEST_STORED = 1 << 20
_FILES = ("binary", "initrd", "block")


@dataclass(frozen=True)
class ImagePlan:
    """An image but for the digests; layers of a base are there already."""

    config: image.ImageConfig
    annotations: Mapping[str, str]
    layers: tuple[image.Layer | PlannedLayer, ...]
    history: tuple[image.Step, ...]
    epoch: int
    tree: Tree


def plan(
    statements: Sequence[Statement],
    context: Context,
    platform: Platform | None = None,
    epoch: int = 0,
    wanted: Wanted | None = None,
) -> ImagePlan:
    """Raises what is wrong with any of it."""
    return finish(Stager(statements, context, platform, wanted).target(), platform, epoch)


def finish(staged: Staged, platform: Platform | None, epoch: int) -> ImagePlan:
    """A stage as the image that it is to become: with what says how to boot it."""
    labels = {**_inherited(staged.tree), **staged.config.labels, **_exposed(staged.config)}
    unikernel = _unikernel(labels)
    annotations = contract.to_annotations(unikernel)
    files = {field: _file(unikernel, field, staged.tree) for field in _FILES if getattr(unikernel, field)}
    _store(annotations, staged)
    platform = _platform(platform, staged.config, files["binary"], unikernel.binary)
    config = replace(
        staged.config,
        architecture=platform.architecture,
        variant=platform.variant,
        created=image.timestamp(epoch),
        cmd=_command(staged, unikernel.cmdline),
        labels={**_foreign(labels), **annotations},
    )
    return ImagePlan(config, annotations, tuple(staged.layers), tuple(staged.steps), epoch, staged.tree)


def _inherited(tree: Tree) -> dict[str, str]:
    """What a base says about itself in urunc.json, as images of old do; labels go before it."""
    entry = tree.find(contract.FILE)
    if not isinstance(entry, Packed):
        return {}
    try:
        document = json.loads(contents.read(entry, _LARGEST_STORED))
        stored = contract.to_annotations(contract.from_annotations(document))
    except (ValueError, AttributeError, RecursionError) as error:
        raise ImageError(f"/{contract.FILE} of the base image cannot be read") from error
    return stored


def _exposed(config: image.ImageConfig) -> dict[str, str]:
    """EXPOSE, also a base's, in the words of the runtime; for want of it, a label may say so."""
    return {ports.KEY: ports.join(config.ports)} if config.ports else {}


def _unikernel(labels: Mapping[str, str]) -> UnikernelConfig:
    if not contract.is_unikernel(labels):
        raise ImageError(
            f"nothing says how to boot this image: there is no LABEL {contract.PREFIX}*",
            hint=f"add a LABEL for each of {', '.join(contract.KEYS[field] for field in contract.REQUIRED)}",
        )
    return contract.from_annotations(labels)


def _foreign(labels: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in labels.items() if not contract.is_unikernel({key: value})}


def _command(staged: Staged, cmdline: str) -> tuple[str, ...]:
    """Images of old have their command line in a label; the engines want it in the config."""
    if staged.config.cmd or staged.config.entrypoint or staged.has_cmd:
        return staged.config.cmd
    try:
        return words.shell(cmdline)
    except ValueError as error:
        raise ImageError(f"{contract.KEYS['cmdline']}: {error}") from error


def _store(annotations: Mapping[str, str], staged: Staged) -> None:
    """Add urunc.json, in a layer of its own."""
    entries = [layer.entries for layer in staged.layers if isinstance(layer, PlannedLayer)]
    if any(contract.FILE in each for each in entries):
        raise ImageError(
            f"/{contract.FILE} was copied, but it is made from the labels",
            hint="leave this file out, and say with LABEL what it says",
        )
    staged.tree.add(contract.FILE, Data(image.canonical(contract.encode(annotations))))
    staged.layers.append(PlannedLayer(f"/{contract.FILE}", staged.tree.take()))
    staged.steps.append(image.Step(f"bima: /{contract.FILE}", empty=False))


def _file(unikernel: UnikernelConfig, field: str, tree: Tree) -> Regular:
    """The file of the image that a label names."""
    path = getattr(unikernel, field)
    found = tree.find(path)
    if not isinstance(found, File | Data | Packed):
        wrong = "is not a file" if found else "is not"
        raise ImageError(f"{contract.KEYS[field]}: {path} {wrong} in the image", hint=_copied(tree))
    with contents.opened(found) as file:
        if not file.size:
            raise ImageError(f"{contract.KEYS[field]}: {path} is empty", hint=f"build {file.name} again")
    return found


def _copied(tree: Tree) -> str:
    files = tree.files()
    more = f" and {len(files) - _MOST_NAMES} more" if len(files) > _MOST_NAMES else ""
    return f"copied are {', '.join(files[:_MOST_NAMES])}{more}" if files else "COPY it"


def _platform(wanted: Platform | None, base: image.ImageConfig, kernel_file: Regular, path: str) -> Platform:
    """What was asked for, else what the base is for, else what the kernel is."""
    head = contents.read(kernel_file, kernel.HEAD)
    found = kernel.find_architecture(head)
    if not wanted and base.architecture:
        wanted = Platform(base.architecture, base.variant)
    if wanted and found:
        wanted.require_kernel(found, path)
    return wanted or Platform(kernel.require_architecture(head, path))
