# SPDX-License-Identifier: Apache-2.0
"""buildah, which needs neither daemon nor root."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bima.builders import call, image
from bima.sources import Source

if TYPE_CHECKING:
    from bima.builders import Job


def build(job: Job) -> Source:
    """Build, and have the image written into a layout; buildah keeps nothing of it."""
    call(job, "buildah", "build", "--timestamp", "0", *job.options)
    try:
        call(job, "buildah", "push", "--quiet", image(job), f"oci:{job.work}/built:built")
    finally:
        call(job, "buildah", "rmi", "--force", image(job))
    return Source("oci", f"{job.work}/built")
