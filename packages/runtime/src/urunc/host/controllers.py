# SPDX-License-Identifier: Apache-2.0
"""Hands controllers of cgroups down to a cgroup, which version 2 wants done at each step of the way."""

from __future__ import annotations

from urunc.host import cgroups

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Set

    from urunc.hierarchy import Hierarchy


# What engines read of a container, whether it is limited or not.
_COUNTED = frozenset({"cpu", "cpuset", "hugetlb", "io", "memory", "pids"})


def count(hierarchies: Iterable[Hierarchy], directories: Iterable[str]) -> None:
    """Where version 2 is alone, have it count what a cgroup takes; version 1 always does."""
    for hierarchy, directory in zip(hierarchies, directories, strict=True):
        if all(one.unified for one in hierarchies):
            enable(directory, hierarchy.mount_point, _COUNTED)


def enable(cgroup: str, mount_point: str, wanted: Set[str]) -> None:
    """As many of these as can be had there, on the way from the mount point to the cgroup."""
    directory = mount_point
    for part in cgroup[len(mount_point) + 1 :].split("/"):
        _enable_below(directory, wanted)
        directory = f"{directory}/{part}"


def available(cgroup: str) -> frozenset[str]:
    """What a cgroup has got."""
    return frozenset(cgroups.read(f"{cgroup}/cgroup.controllers").split())


def _enable_below(directory: str, wanted: Set[str]) -> None:
    enabled = frozenset(cgroups.read(f"{directory}/cgroup.subtree_control").split())
    missing = wanted & available(directory) - enabled
    # One by one: a cgroup with processes of its own hands down some, and not others.
    for controller in sorted(missing):
        try:
            cgroups.write(f"{directory}/cgroup.subtree_control", f"+{controller}")
        except OSError:
            continue  # whoever needs it sees at the end that it is not there
