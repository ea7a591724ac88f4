# SPDX-License-Identifier: Apache-2.0
"""`-o rootfs-tar:FILE`: the files of the image, all its layers together, as a tar."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from bima import base, layer
from bima.outputs import archive

if TYPE_CHECKING:
    from bima.layout import BuiltImage
    from bima.outputs import Options

# Times are as the layers have them.
_NEVER = 1 << 40


def deliver(image: BuiltImage, destination: str, options: Options) -> None:
    """Write the file, whole or not at all."""
    del options
    with image.layout.workspace() as work, archive.replacing(Path(destination)) as file:
        staged = base.load(image.layout, image.descriptor, image.reference.familiar, work)
        layer.write_plain({path: entry for path, entry in staged.tree.entries.items() if path}, file, _NEVER)
