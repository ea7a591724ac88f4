# SPDX-License-Identifier: Apache-2.0
"""Builds the stages that an image needs, each once, and no others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from bima import platform as platforms
from bima import stages
from bima.copying import Files
from bima.evaluation import evaluate
from bima.image import ImageConfig
from bima.performing import perform
from bima.staged import Staged
from urunc_common import config as contract

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bima.context import Context, Origin
    from bima.instruction import Copy, Line, Statement
    from bima.platform import Platform
    from bima.stages import Stage


class Images(Protocol):
    """Finds images that a Containerfile names, and has done what only others can do."""

    def image(self, name: str, line: Line, platform: str, monitor: str) -> Staged:
        """A stage that has what the image has."""

    def run(self, stage: Stage, line: Line) -> Staged:
        """The stage, RUN and all."""

    def additions(self, copy: Copy, context: Origin) -> Origin:
        """Where ADD finds its files."""


class NoImages:
    """Where there is nothing but the build directory."""

    def image(self, name: str, line: Line, platform: str, monitor: str) -> Staged:
        """Refuse."""
        del platform, monitor
        raise line.error(f"the image {name} cannot be had here")

    def run(self, stage: Stage, line: Line) -> Staged:
        """Refuse."""
        raise line.error(f"RUN in stage {stage.number} cannot be done here")

    def additions(self, copy: Copy, context: Origin) -> Origin:
        """Unpack nothing."""
        del copy
        return context


@dataclass(frozen=True)
class Wanted:
    """What the command line says about a Containerfile."""

    target: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)
    images: Images = field(default_factory=NoImages)


class Stager:
    """The stages of one Containerfile."""

    def __init__(
        self,
        statements: Sequence[Statement],
        context: Context,
        platform: Platform | None,
        wanted: Wanted | None = None,
    ) -> None:
        self._wanted, self._context = wanted or Wanted(), context
        self._given = {**_platform_values(platform), **self._wanted.arguments}
        self._stages = stages.split(statements, self._wanted.arguments, _platform_values(platform))
        self._platform = platform
        self._done: dict[int, Staged] = {}

    def target(self) -> Staged:
        """The stage that is to become the image."""
        return self._staged(stages.find(self._stages, self._wanted.target))

    def _staged(self, stage: Stage) -> Staged:
        if stage.number not in self._done:
            self._done[stage.number] = self._build(stage)
        return self._done[stage.number]

    def _build(self, stage: Stage) -> Staged:
        if stage.run:
            return self._wanted.images.run(stage, stage.run)
        staged = self._begin(stage)
        given = {**stage.values, **self._given}
        for each in stage.statements:
            instruction = evaluate(each, staged.values)
            perform(instruction, staged, lambda copy: self._origin(copy, stage), given)
        return staged

    def _begin(self, stage: Stage) -> Staged:
        """What FROM names: nothing, an earlier stage or an image."""
        start = stage.start
        if start.base == stages.SCRATCH:
            return Staged(ImageConfig(""))
        if before := stages.earlier(self._stages, stage, start.base):
            return self._staged(before).copy()
        platform = start.platform or (str(self._platform) if self._platform else "")
        return self._wanted.images.image(start.base, start.line, platform, _monitor(stage)).copy()

    def _origin(self, copy: Copy, stage: Stage) -> Origin:
        """Where an instruction copies from."""
        if not copy.origin:
            return self._wanted.images.additions(copy, self._context) if copy.unpack else self._context
        if before := stages.earlier(self._stages, stage, copy.origin):
            return Files(self._staged(before).tree, f"stage {copy.origin}")
        platform = str(self._platform) if self._platform else ""
        image = self._wanted.images.image(copy.origin, copy.line, platform, _monitor(stage))
        return Files(image.tree, copy.origin)


def _platform_values(platform: Platform | None) -> dict[str, str]:
    """The ARGs that tell what is built, and where."""
    host = platforms.host()
    target = platform or host
    found: dict[str, str] = {}
    for name, each in (("TARGET", target), ("BUILD", host)):
        found |= {
            f"{name}PLATFORM": str(each),
            f"{name}OS": "linux",
            f"{name}ARCH": each.architecture,
            f"{name}VARIANT": each.variant,
        }
    return found


def _monitor(stage: Stage) -> str:
    """The monitor that the labels of a stage name, by which Unikraft's catalog tells its images apart."""
    key = contract.KEYS["hypervisor"]
    for each in stage.statements:
        for name, value in each.pairs:
            if each.word == "LABEL" and name == (key,) and value and isinstance(value[0], str):
                return value[0]
    return ""
