# SPDX-License-Identifier: Apache-2.0
"""An image's name alone: bima's own store has it, or else the registry in the name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bima import store
from bima.errors import ImageError
from bima.layout import BuiltImage
from bima.reference import Reference
from bima.sources import Fetched, registry
from bima.sources import store as stored

if TYPE_CHECKING:
    from bima.layout import Layout
    from bima.sources import Request


def fetch(where: str, request: Request, into: Layout) -> Fetched:
    """An image that came from a registry stays in the store, for the next time."""
    reference = Reference.parse(where)
    own = store.default()
    if str(reference) in own.index and not request.newest:
        try:
            return stored.fetch(where, request, into)
        except ImageError:
            request.report(f"{reference.familiar} in {own.path} is for another platform")
    found = registry.fetch(where, request, into)
    with own.locked():
        own.add_image(BuiltImage(into, found.descriptor, reference), link=True)
    return found
