# SPDX-License-Identifier: Apache-2.0
"""An image in a layout -> its files in a directory, for `bima run`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bima import base
from bima.extract import extract

if TYPE_CHECKING:
    from bima.layout import BuiltImage
    from bima.staged import Staged


def unpack(image: BuiltImage, target: Path) -> Staged:
    """Fill an empty directory; raises ImageError for what an image must not contain."""
    with tempfile.TemporaryDirectory(prefix=".layers-", dir=target.parent) as work:
        staged = base.load(image.layout, image.descriptor, image.reference.familiar, Path(work))
        extract(staged.tree.entries, target)
    return staged
