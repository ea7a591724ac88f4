# SPDX-License-Identifier: Apache-2.0
"""podman, which has buildah inside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bima.builders import call, image
from bima.sources import Source

if TYPE_CHECKING:
    from bima.builders import Job


def build(job: Job) -> Source:
    """Build, and have the image saved; podman keeps nothing of it but its cache."""
    call(job, "podman", "build", "--timestamp", "0", *job.options)
    try:
        saved = f"{job.work}/built.tar"
        call(job, "podman", "save", "--quiet", "--format", "oci-archive", "--output", saved, image(job))
    finally:
        call(job, "podman", "rmi", "--force", image(job))
    return Source("oci-archive", saved)
