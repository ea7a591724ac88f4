# SPDX-License-Identifier: Apache-2.0
"""Where a container's processes are among the host's cgroups, and who makes these: we, or systemd."""

from __future__ import annotations

from urunc import hierarchy
from urunc.host import cgroups, controllers
from urunc_common.errors import Error
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.bundle import Bundle
    from urunc.hierarchy import Hierarchy
    from urunc.log import Log
    from urunc.systemd import Scope


class Placement(Record):
    """One directory per hierarchy; `unified` is that in version 2, or ""."""

    hierarchies: tuple[Hierarchy, ...]
    directories: tuple[str, ...]
    unified: str
    freezer: str
    scope: Scope | None = None
    """What systemd makes around a process that is there already; None where we make the directories."""

    @property
    def unit(self) -> str:
        """The name of the scope, or ""."""
        return self.scope.name if self.scope else ""


def find(cgroups_path: str, container_id: str, *, systemd: bool, rootless: bool) -> Placement:
    """Decide by the path that the engine gives, and by whether it wants systemd.  Raises Error."""
    scope = None
    if systemd or ":" in cgroups_path:
        scope = _find_scope(cgroups_path, container_id, asked=systemd)
    path = scope.path if scope else cgroups_path or f"/urunc/{container_id}"
    hierarchies = cgroups.find()
    directories = hierarchy.directories(hierarchies, path)
    if rootless:
        hierarchies, directories = cgroups.delegated(hierarchies, directories)
    _require_empty(directories)
    unified = hierarchy.unified(hierarchies, directories)
    return Placement(hierarchies, directories, unified, hierarchy.freezer(hierarchies, directories), scope)


def _require_empty(directories: tuple[str, ...]) -> None:
    """Whoever is in there would be limited, paused and killed with the container."""
    for directory in directories:
        if cgroups.members(directory):
            raise Error(
                f"the cgroup {directory} has processes in it already",
                hint="give each container a cgroupsPath of its own",
            )


def _find_scope(cgroups_path: str, container_id: str, *, asked: bool) -> Scope | None:
    from urunc import systemd
    from urunc.host import units

    scope = systemd.scope(cgroups_path, container_id, asked=asked)
    if scope:
        units.require()
    return scope


def start_scope(place: Placement, pid: int, container_id: str, bundle: Bundle) -> None:
    """Have systemd put a process where it belongs.  Raises Error."""
    if place.scope:
        from urunc import systemd
        from urunc.host import units

        alone = all(one.unified for one in place.hierarchies)
        limits = systemd.limit_properties(bundle.resources, unified=alone) if bundle.resources else ()
        units.start(place.scope, pid, container_id, limits)


def confine(place: Placement, bundle: Bundle, needed: tuple[str, ...], log: Log) -> None:
    """Set the limits; `needed` are the devices of the monitor.  Raises Error."""
    if not place.scope:
        controllers.count(place.hierarchies, place.directories)
    if bundle.resources:
        from urunc import confinement

        confinement.confine(bundle, place.hierarchies, place.directories, needed, log)
        log.debug("limits are set")
