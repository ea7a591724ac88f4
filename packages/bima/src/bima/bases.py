# SPDX-License-Identifier: Apache-2.0
"""The images that a Containerfile names, each fetched and unpacked once for a build."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from bima import base, builders, sources
from bima.adding import Additions
from bima.choice import Choice
from bima.errors import (
    BuilderError,
    ContextError,
    ImageError,
    ImageNameError,
    OutputError,
    RegistryError,
    StoreError,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bima.builders import Job
    from bima.context import Origin
    from bima.instruction import Copy, Line
    from bima.layout import Layout
    from bima.sources import Request
    from bima.staged import Staged
    from bima.stages import Stage

_FAILURES = (BuilderError, ContextError, ImageError, ImageNameError, OutputError, RegistryError, StoreError)


class Bases:
    """Brings images into the draft of a build; their files lie in `work`."""

    def __init__(
        self, draft: Layout, work: Path, request: Request, job: Callable[[Stage, Path], Job], builder: str
    ) -> None:
        self._draft, self._work, self._request = draft, work, request
        self._job, self._builder = job, builder
        self._found: dict[tuple[str, Choice], Staged] = {}

    def additions(self, copy: Copy, context: Origin) -> Origin:
        """Where ADD finds its files."""
        return Additions(copy, context, self._work)

    def run(self, stage: Stage, line: Line) -> Staged:
        """Have a stage built by a program that can."""
        build = builders.find(self._builder, line)
        with self._draft.workspace() as work:
            try:
                return self.load(str(build(self._job(stage, work))), Choice())
            except _FAILURES as error:
                raise type(error)(f"{line.place}: {error}", hint=error.hint) from error

    def image(self, name: str, line: Line, platform: str, monitor: str) -> Staged:
        """A stage that has what the image has; a failure names the line."""
        try:
            return self.load(name, Choice(platform, monitor))
        except _FAILURES as error:
            raise type(error)(f"{line.place}: {error}", hint=error.hint) from error

    def load(self, name: str, choice: Choice) -> Staged:
        """The image of any source."""
        if (name, choice) not in self._found:
            request = replace(self._request, choice=choice)
            fetched = sources.fetch(sources.parse(name), request, self._draft)
            self._found[name, choice] = base.load(self._draft, fetched.descriptor, name, self._work)
        return self._found[name, choice]
