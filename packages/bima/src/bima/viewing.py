# SPDX-License-Identifier: Apache-2.0
"""Images of any place, opened to be looked at."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from bima import base, sources, store
from bima.choice import Choice
from bima.findings import Subject
from bima.layout import BuiltImage
from bima.reference import Reference
from bima.sources import Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bima.outputs import Options
    from bima.staged import Staged

_NAMELESS = Reference("docker.io", "library/nameless", "latest")


@contextmanager
def fetched(source: str, platform: str, options: Options) -> Iterator[BuiltImage]:
    """The image, in a layout of its own for as long as the block takes."""
    request = Request(Choice(platform), options)
    with store.draft(store.default()) as draft:
        found = sources.fetch(sources.parse(source), request, draft)
        reference = Reference.parse(found.name) if found.name else _NAMELESS
        yield BuiltImage(draft, found.descriptor, reference)


@contextmanager
def opened(source: str, platform: str, options: Options) -> Iterator[Staged]:
    """The image with its files."""
    with fetched(source, platform, options) as image, image.layout.workspace() as work:
        yield base.load(image.layout, image.descriptor, source, work)


@contextmanager
def subject(source: str, platform: str, options: Options) -> Iterator[Subject]:
    """The image with all that it says about itself."""
    with fetched(source, platform, options) as image, image.layout.workspace() as work:
        staged = base.load(image.layout, image.descriptor, source, work)
        said = image.manifest.get("annotations") or {}
        annotations = {key: value for key, value in said.items() if isinstance(value, str)}
        yield Subject(annotations, staged.config, staged.tree)
