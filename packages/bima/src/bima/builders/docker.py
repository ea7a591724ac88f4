# SPDX-License-Identifier: Apache-2.0
"""docker: with buildx where it is there, else with the builder of old."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

from bima.builders import call, image
from bima.sources import Source

if TYPE_CHECKING:
    from bima.builders import Job


def build(job: Job) -> Source:
    """Build, and have the image saved; docker keeps nothing of it but its cache."""
    call(job, "docker", *(("buildx", "build", "--load") if _has_buildx() else ("build",)), *job.options)
    try:
        saved = f"{job.work}/built.tar"
        call(job, "docker", "save", "--output", saved, image(job))
    finally:
        call(job, "docker", "rmi", "--force", image(job))
    return Source("docker-archive", saved)


def _has_buildx() -> bool:
    asked = subprocess.run(["docker", "buildx", "version"], capture_output=True, check=False)
    return asked.returncode == 0
