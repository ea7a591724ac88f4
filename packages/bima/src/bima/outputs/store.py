# SPDX-License-Identifier: Apache-2.0
"""`-o store`: bima's own store, where images go unless something else is asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bima import store

if TYPE_CHECKING:
    from bima.layout import BuiltImage
    from bima.outputs import Options


def deliver(image: BuiltImage, destination: str, options: Options) -> None:
    """Keep the image; what its name meant before is removed."""
    del destination, options
    target = store.default()
    with target.locked():
        target.add_image(image, link=True)
        target.collect()
