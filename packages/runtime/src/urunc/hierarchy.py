# SPDX-License-Identifier: Apache-2.0
"""Hierarchies of control groups: which there are, and where in them a container is.  Pure.

Serves version 2, version 1 and both at once; a cgroup is a tuple of directories, one per hierarchy.
"""

from __future__ import annotations

from urunc_common.errors import Error
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# Version 2 has another name for one controller of version 1.
_RENAMED = {"io": "blkio"}


class Hierarchy(Record):
    """One mounted cgroup file system."""

    mount_point: str
    unified: bool
    controllers: tuple[str, ...] = ()


class Place(Record):
    """A container's directory in the hierarchy of one controller."""

    directory: str
    unified: bool


def parse_mounts(mountinfo: str) -> tuple[Hierarchy, ...]:
    """The hierarchies in the text of a mountinfo file, each one once."""
    found: dict[tuple[str, ...], Hierarchy] = {}
    for line in mountinfo.splitlines():
        fields, _, rest = line.partition(" - ")
        fstype, _, options = rest.split(" ", 2)
        if fstype not in ("cgroup", "cgroup2"):
            continue
        unified = fstype == "cgroup2"
        controllers = () if unified else tuple(option for option in options.split(",") if option != "rw")
        found.setdefault(controllers, Hierarchy(fields.split(" ")[4], unified, controllers))
    return tuple(found.values())


def directories(hierarchies: Iterable[Hierarchy], path: str) -> tuple[str, ...]:
    """The directories of one cgroup, by its path inside every hierarchy.  Raises Error."""
    parts = [part for part in path.split("/") if part not in ("", ".")]
    if ".." in parts or not parts:
        raise Error(f"the cgroup path {path!r} does not name a cgroup", hint="write it like /parent/name")
    return tuple(f"{hierarchy.mount_point}/{'/'.join(parts)}" for hierarchy in hierarchies)


def places(hierarchies: Iterable[Hierarchy], cgroups: Iterable[str]) -> dict[str, Place]:
    """Where each controller is, by its name in version 1; one that both versions have is in version 1."""
    cgroups = tuple(cgroups)
    found: dict[str, Place] = {}
    for hierarchy in sorted(hierarchies, key=lambda one: not one.unified):
        for cgroup in cgroups:
            if cgroup.startswith(f"{hierarchy.mount_point}/"):
                place = Place(cgroup, hierarchy.unified)
                found.update((_RENAMED.get(name, name), place) for name in hierarchy.controllers)
    return found


def unified(hierarchies: Iterable[Hierarchy], cgroups: Iterable[str]) -> str:
    """The directory in version 2, or ""."""
    mounts = [f"{hierarchy.mount_point}/" for hierarchy in hierarchies if hierarchy.unified]
    return next((one for one in cgroups for mount in mounts if one.startswith(mount)), "")


def freezer(hierarchies: Iterable[Hierarchy], cgroups: Iterable[str]) -> str:
    """The file that pauses a cgroup, or ""."""
    hierarchies, cgroups = tuple(hierarchies), tuple(cgroups)
    place = places(hierarchies, cgroups).get("freezer")
    if place:
        return f"{place.directory}/freezer.state"
    directory = unified(hierarchies, cgroups)
    return f"{directory}/cgroup.freeze" if directory else ""
