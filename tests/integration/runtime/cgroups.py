# SPDX-License-Identifier: Apache-2.0
"""The cgroups of a container as the kernel shows them, whichever version they are of."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from urunc import hierarchy
from urunc.host import cgroups as host

if TYPE_CHECKING:
    from urunc.hierarchy import Place


def directories(urunc, container_id: str = "c1") -> tuple[str, ...]:
    """Where the container is, as its state says."""
    return tuple(json.loads((urunc.root / container_id / "container.json").read_text())["cgroups"])


def places(urunc, container_id: str = "c1") -> dict[str, Place]:
    """Where each controller is."""
    return hierarchy.places(host.find(), directories(urunc, container_id))


def unified(urunc, container_id: str = "c1") -> Path:
    """The directory in version 2."""
    return Path(hierarchy.unified(host.find(), directories(urunc, container_id)))


def read(urunc, controller: str, first: str, second: str) -> str:
    """What is in a file, whose name in version 1 comes first."""
    place = places(urunc)[controller]
    return (Path(place.directory) / (second if place.unified else first)).read_text().strip()
