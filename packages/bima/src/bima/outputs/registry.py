# SPDX-License-Identifier: Apache-2.0
"""`-o registry`, or `--push`: the registry that the image's name begins with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bima.registry.push import push

if TYPE_CHECKING:
    from bima.layout import BuiltImage
    from bima.outputs import Options


def deliver(image: BuiltImage, destination: str, options: Options) -> None:
    """Push."""
    del destination
    push(image, options)
