# SPDX-License-Identifier: Apache-2.0
"""`-o oci:DIR`: an OCI image layout, new or with other images in it."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from bima.errors import OutputError
from bima.layout import Layout

if TYPE_CHECKING:
    from bima.layout import BuiltImage
    from bima.outputs import Options


def deliver(image: BuiltImage, destination: str, options: Options) -> None:
    """Add the image to the directory."""
    del options
    path = Path(destination)
    if path.exists() and not _is_layout(path):
        raise OutputError(
            f"{destination} is neither empty nor an OCI image layout", hint="choose a new directory"
        )
    existed = path.exists()
    try:
        with Layout(path).locked():
            Layout(path).add_image(image)
    except BaseException:
        if not existed:
            shutil.rmtree(path, ignore_errors=True)
        raise


def _is_layout(path: Path) -> bool:
    return path.is_dir() and ((path / "oci-layout").is_file() or not any(path.iterdir()))
