# SPDX-License-Identifier: Apache-2.0
"""What all commands that make images do: a draft to build in, images to build on, and the delivery."""

from __future__ import annotations

import os
import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bima import findings, flags, outputs, results, sources, store
from bima.bases import Bases
from bima.build import build
from bima.builders import Job
from bima.context import Context, find_ignored
from bima.errors import ImageNameError, UsageError
from bima.platform import Platform
from bima.reference import Reference
from bima.stager import Stager, Wanted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from bima.instruction import Statement
    from bima.layout import Layout
    from bima.outputs import Output
    from bima.plan import ImagePlan
    from bima.recipe import Recipe
    from bima.staged import Staged
    from bima.stages import Stage


@dataclass(frozen=True)
class Making:
    """One image being made."""

    draft: Layout
    work: Path
    request: sources.Request
    platform: Platform | None
    values: Mapping[str, Any]
    epoch: int

    @property
    def report(self) -> Callable[[str], None]:
        """Where progress goes."""
        return self.request.report

    def bases(self, recipe: Recipe | None = None, context: Path = Path()) -> Bases:
        """The images that a recipe may build on."""
        return Bases(
            self.draft,
            self.work,
            self.request,
            lambda stage, work: self._job(recipe, context, stage, work),
            self.values.get("builder") or "",
        )

    def stage(
        self, statements: Sequence[Statement], recipe: Recipe, context: Path, target: str = ""
    ) -> Staged:
        """What a Containerfile makes of a build directory."""
        arguments = _arguments(self.values.get("build_args", ()))
        wanted = Wanted(target, arguments, self.bases(recipe, context))
        files = Context(context, find_ignored(context, recipe.path))
        return Stager(statements, files, self.platform, wanted).target()

    def _job(self, recipe: Recipe | None, context: Path, stage: Stage, work: Path) -> Job:
        """One stage for a program that does RUN: not all of them find a stage that has no name."""
        assert recipe
        file = work / "Containerfile"
        file.write_text("\n".join(recipe.text.split("\n")[: stage.end or None]) + "\n")
        ignored = Path(f"{recipe.path}.dockerignore")
        if ignored.is_file():
            shutil.copy(ignored, f"{file}.dockerignore")
        return Job(
            file,
            context,
            stage.start.name or str(stage.number),
            work,
            str(self.platform or ""),
            _arguments(self.values.get("build_args", ())),
            bool(self.values.get("quiet")),
        )


@contextmanager
def making(values: Mapping[str, Any]) -> Iterator[Making]:
    """A place to make an image in; nothing of it is left but what was delivered."""
    platform = Platform.parse(values["platform"]) if values.get("platform") else None
    request = sources.Request(
        options=flags.options(dict(values)),
        newest=bool(values.get("pull")),
        report=flags.reporter(quiet=values["quiet"]),
    )
    epoch = _epoch()
    with store.draft(store.default()) as draft, draft.workspace() as work:
        yield Making(draft, work, request, platform, values, epoch)


def deliver(made: Making, plan: ImagePlan, reference: Reference, targets: Sequence[Output]) -> None:
    """Write the image, bring it to each of its destinations, and say what it is."""
    for each in findings.find(findings.Subject(plan.annotations, plan.config, plan.tree)):
        made.report(f"warning: {each}")
    image = build(plan, made.draft, reference, made.report)
    for target in targets:
        made.report(f"to {target}")
        outputs.load(target.name)(image, target.destination, made.request.options)
    results.write(image, targets, made.values)


def name(tag: str) -> Reference:
    """The name that the image is to have."""
    reference = Reference.parse(tag)
    if reference.digest:
        raise ImageNameError(
            f"{tag} has a digest, which only the finished image can have", hint="leave it out"
        )
    return reference


def targets(values: Mapping[str, Any]) -> list[Output]:
    """What is asked for, each once; bima's own store if that is nothing."""
    words = [
        *values["targets"],
        *(["tar"] if values["tar"] else []),
        *(["registry"] if values["push"] else []),
    ]
    return list(dict.fromkeys(outputs.parse(word) for word in words or ["store"]))


def _arguments(words: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE as it is; NAME alone has our own value, or none."""
    found = {}
    for word in words:
        name, equals, value = word.partition("=")
        if equals or name in os.environ:
            found[name] = value if equals else os.environ[name]
    return found


def _epoch() -> int:
    value = os.environ.get("SOURCE_DATE_EPOCH", "") or "0"
    if not (value.isascii() and value.isdigit() and len(value) <= 11):
        raise UsageError(f"SOURCE_DATE_EPOCH is {value!r}", hint="set it to seconds since 1970, or unset it")
    return int(value)
