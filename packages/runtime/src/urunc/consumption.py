# SPDX-License-Identifier: Apache-2.0
"""Reads what a container takes from its cgroups, and waits until memory is short there.  For people."""

from __future__ import annotations

import os
import select
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from urunc import hierarchy
from urunc.host import cgroups
from urunc.stats import v1, v2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from urunc.hierarchy import Place

# The controllers whose files are read, and the prefixes of these.
_PREFIXES = {"blkio": ("blkio.", "io.")}


def places(directories: Iterable[str]) -> dict[str, Place]:
    """Where the controllers of a container are."""
    return hierarchy.places(cgroups.find(), directories)


def read(found: Mapping[str, Place]) -> dict[str, object]:
    """What the container takes, as runc says it."""
    data: dict[str, dict[str, object]] = {
        name: {} for name in ("cpu", "cpuset", "memory", "pids", "blkio", "hugetlb", "intel_rdt")
    }
    for controller, place in found.items():
        module = v2.CONTROLLERS if place.unified else v1.CONTROLLERS
        if controller in module:
            name, describe = module[controller]
            data[name].update(describe(_texts(controller, place)))
    return {**data, "network_interfaces": None}


def _texts(controller: str, place: Place) -> dict[str, str]:
    prefixes = _PREFIXES.get(controller, (f"{controller}.",))
    found = {}
    with suppress(FileNotFoundError):
        for path in Path(place.directory).iterdir():
            # Some can only be written, and some devices that are counted are gone.
            with suppress(OSError):
                if path.name.startswith(prefixes) and path.is_file():
                    found[path.name] = path.read_text()
    return found


class Shortage:
    """A descriptor that is ready when the kernel kills for want of memory in a cgroup."""

    def __init__(
        self, descriptor: int, events: int, is_new: Callable[[], bool], kept: tuple[int, ...]
    ) -> None:
        self.descriptor, self.events, self.is_new, self._kept = descriptor, events, is_new, kept

    def close(self) -> None:
        """Listen no more."""
        for descriptor in (self.descriptor, *self._kept):
            os.close(descriptor)


def listen(place: Place) -> Shortage:
    """Be told by the kernel.  Raises OSError."""
    return (
        _listen_v2(place.directory, select.POLLPRI)
        if place.unified
        else _listen_v1(place.directory, select.POLLIN)
    )


def _listen_v1(directory: str, events: int) -> Shortage:
    control = os.open(f"{directory}/memory.oom_control", os.O_RDONLY | os.O_CLOEXEC)
    descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
    cgroups.write(f"{directory}/cgroup.event_control", f"{descriptor} {control}")

    def is_new() -> bool:
        # The end of the cgroup is told in the same way.
        return os.eventfd_read(descriptor) > 0 and os.path.exists(directory)

    return Shortage(descriptor, events, is_new, (control,))


def _listen_v2(directory: str, events: int) -> Shortage:
    descriptor = os.open(f"{directory}/memory.events", os.O_RDONLY | os.O_CLOEXEC)
    seen = _kills(descriptor)

    def is_new() -> bool:
        nonlocal seen
        before, seen = seen, _kills(descriptor)
        return seen > before

    return Shortage(descriptor, events, is_new, ())


def _kills(descriptor: int) -> int:
    words = os.pread(descriptor, 4096, 0).decode().split()
    return int(words[words.index("oom_kill") + 1]) if "oom_kill" in words else 0
