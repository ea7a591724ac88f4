# SPDX-License-Identifier: Apache-2.0
"""Keeps a container's processes within what the engine lets them take: limits, and devices."""

from __future__ import annotations

import posix

from urunc import device_filter, devices, hierarchy, limits
from urunc.errors import HostError
from urunc.host import bpf, cgroups, controllers
from urunc.host import limits as files

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from urunc.bundle import Bundle
    from urunc.devices import Policy
    from urunc.hierarchy import Hierarchy
    from urunc.limits import Write
    from urunc.log import Log
    from urunc.resources import Resources

_FORMAT, _BLOCK, _CHARACTER = 0o170000, 0o060000, 0o020000


def confine(
    bundle: Bundle,
    hierarchies: Iterable[Hierarchy],
    directories: Iterable[str],
    needed: Iterable[str],
    log: Log,
) -> None:
    """Before there are processes; `needed` are the devices of the monitor.  Raises Error."""
    if not bundle.resources:
        return
    limit(bundle.resources, hierarchies, directories)
    policy = devices.policy(bundle.resources.devices, bundle.devices, _numbers(needed))
    _forbid_devices(policy, hierarchies, directories, log)


def limit(
    resources: Resources,
    hierarchies: Iterable[Hierarchy],
    directories: Iterable[str],
    *,
    restore: bool = False,
) -> None:
    """Set all that is named, and leave the rest as it is; with `restore`, all of it if one cannot be set.

    Raises HostError, Unsupported.
    """
    unified = hierarchy.unified(hierarchies, directories)
    writes = limits.writes(resources, hierarchy.places(hierarchies, directories), unified)
    ours = tuple(write for write in writes if write.directory == unified)
    if ours:
        mount_point = next(one.mount_point for one in hierarchies if one.unified)
        controllers.enable(unified, mount_point, limits.needed(ours))
        _require(ours, controllers.available(unified))
    files.apply(writes, restore=restore)


def _require(writes: Iterable[Write], available: frozenset[str]) -> None:
    for write in writes:
        for controller in limits.needed((write,)) - available:
            raise limits.unavailable(write.setting.key, controller)


def _numbers(paths: Iterable[str]) -> list[tuple[str, int, int]]:
    """Kind and numbers of device nodes; one that is not there is for others to miss."""
    found = []
    for path in paths:
        try:
            status = posix.stat(path)
        except OSError:
            continue
        kind = {_BLOCK: "b", _CHARACTER: "c"}.get(status.st_mode & _FORMAT)
        if kind:
            found.append((kind, posix.major(status.st_rdev), posix.minor(status.st_rdev)))
    return found


def _forbid_devices(
    policy: Policy, hierarchies: Iterable[Hierarchy], directories: Iterable[str], log: Log
) -> None:
    place = hierarchy.places(hierarchies, directories).get("devices")
    unified = hierarchy.unified(hierarchies, directories)
    try:
        if place:
            for file, text in devices.v1(policy):
                _tell(f"{place.directory}/{file}", text, log)
        elif unified and (policy.exceptions or not policy.allow):
            bpf.attach_device_filter(unified, device_filter.program(policy))
    except PermissionError as error:
        log.warning(f"devices are not forbidden by a cgroup, for want of permission: {error.strerror}")
    except OSError as error:
        raise HostError("set linux.resources.devices", error) from error


def _tell(path: str, text: str, log: Log) -> None:
    try:
        cgroups.write(path, text)
    except PermissionError:
        if not path.endswith("allow"):
            raise
        log.debug(f"the parent of this cgroup has not got the device {text}")
