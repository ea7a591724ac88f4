# SPDX-License-Identifier: Apache-2.0
"""`-o podman`: the images of podman, through its client."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

from bima.errors import OutputError
from bima.outputs import pipe

if TYPE_CHECKING:
    from bima.layout import BuiltImage
    from bima.outputs import Options


def deliver(image: BuiltImage, destination: str, options: Options) -> None:
    """Load the image; the archive brings its name along."""
    del destination, options
    if shutil.which("podman") is None:
        raise OutputError("podman is not installed")
    with pipe.reading(image) as archive:
        done = subprocess.run(
            ["podman", "load", "--quiet"], stdin=archive, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:]
            raise OutputError(f"podman does not take {image.reference}: {''.join(said)}")
