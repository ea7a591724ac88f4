# SPDX-License-Identifier: Apache-2.0
"""`store:NAME`: bima's own store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bima import store
from bima.errors import ImageError
from bima.fetching import INDEXES, choose
from bima.sources import Fetched

if TYPE_CHECKING:
    from bima.layout import BuiltImage, Layout
    from bima.sources import Request


def fetch(where: str, request: Request, into: Layout) -> Fetched:
    """Link the blobs of an image."""
    image = store.find(store.default(), where)
    if image.descriptor.media_type not in INDEXES:
        _require_platform(image, request)
    descriptor, _ = choose(
        image.descriptor, where, request.choice, lambda each: image.layout.read(each.digest)
    )
    into.add_blobs(image.layout, descriptor, link=True)
    return Fetched(descriptor, str(image.reference))


def _require_platform(image: BuiltImage, request: Request) -> None:
    """The store has one image of each name, which may have been fetched for another platform."""
    wanted = request.choice.platform
    config = image.layout.document(image.config_digest)
    index = {"manifests": [{**image.descriptor.to_json(), "platform": config}]}
    if wanted:
        request.choice.of(index, image.reference.familiar)
    elif not isinstance(config.get("architecture"), str):
        raise ImageError(f"{image.reference.familiar} does not say for which platform it is")
