# SPDX-License-Identifier: Apache-2.0
"""`-o docker-archive:FILE`: what `docker save` writes, for those who prefer the layout in our other one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bima.outputs import archive

if TYPE_CHECKING:
    from bima.layout import BuiltImage
    from bima.outputs import Options


def deliver(image: BuiltImage, destination: str, options: Options) -> None:
    """Write the file, whole or not at all."""
    del options
    with archive.replacing(Path(destination)) as file:
        archive.write(image, file, only_docker=True)
