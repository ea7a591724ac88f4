# SPDX-License-Identifier: Apache-2.0
"""What is written into which file so that a limit holds.  Pure; `host.limits` writes it, in order.

`v1` and `v2` say it for each controller of a version.  What no file can hold is refused by its name.
"""

from __future__ import annotations

from urunc.errors import Unsupported
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any, Protocol

    from urunc.hierarchy import Place
    from urunc.resources import Resources

    class Version(Protocol):
        """What a module of this package has."""

        @property
        def CONTROLLERS(self) -> Mapping[str, Callable[[Any], tuple[Setting, ...]]]:
            """What is written for each controller's part of linux.resources."""


PREFIX = "linux.resources."
UNLIMITED = -1


class Setting(Record):
    """One field, and where it is written: the first of these files that the kernel has, and the text."""

    key: str
    """As it is below linux.resources."""
    ways: tuple[tuple[str, str], ...]
    holds_anyway: bool = False
    """Where there is no such file, nothing has to be limited."""


class Write(Record):
    """A setting in the directory of its controller."""

    directory: str
    setting: Setting


def writes(resources: Resources, places: Mapping[str, Place], unified: str) -> tuple[Write, ...]:
    """What makes the limits hold, in order; `unified` is the directory in version 2, or "".

    Raises Unsupported.
    """
    found = []
    for controller, part in _parts(resources):
        place = places.get(controller)
        settings = _version(place is not None and place.unified).CONTROLLERS[controller](part)
        if place:
            found += [Write(place.directory, setting) for setting in settings]
            continue
        for setting in settings:
            if not _is_unlimited(setting):
                raise unavailable(setting.key, controller)
    return (*found, *_unified(resources.unified, places, unified))


def needed(found: tuple[Write, ...]) -> frozenset[str]:
    """The controllers of version 2 that have to be enabled on the way to a cgroup, as its files are named."""
    files = [file for write in found for file, _ in write.setting.ways]
    return frozenset(file.partition(".")[0] for file in files) - {"cgroup"}


def unavailable(key: str, controller: str) -> Unsupported:
    """The hierarchy has not got the controller."""
    return Unsupported(
        f"{PREFIX}{key} cannot hold: there is no cgroup controller {controller} for this container",
        hint=f"mount or delegate the controller {controller}, or leave {key} out",
    )


def lines(key: str, file: str, texts: tuple[str, ...]) -> tuple[Setting, ...]:
    """A file that takes one line at a time."""
    return tuple(Setting(key, ((file, text),)) for text in texts)


def amount(value: int, unlimited: str) -> str:
    """A limit as the kernel takes it."""
    return unlimited if value == UNLIMITED else str(value)


def _is_unlimited(setting: Setting) -> bool:
    return all(text in (str(UNLIMITED), "max") for _, text in setting.ways)


def _parts(resources: Resources) -> tuple[tuple[str, object], ...]:
    return (
        ("cpuset", resources.cpu),
        ("cpu", resources.cpu),
        ("memory", resources.memory),
        ("pids", resources.pids),
        ("blkio", resources.block_io),
        ("hugetlb", resources.hugepages),
        ("net_cls", resources.class_id),
        ("net_prio", resources.priorities),
        ("rdma", resources.rdma),
    )


def _version(unified: bool) -> Version:  # noqa: FBT001  which of the two it is
    name = "v2" if unified else "v1"
    module: Version = __import__(f"{__name__}.{name}", fromlist=["CONTROLLERS"])
    return module


def _unified(wanted: Mapping[str, str], places: Mapping[str, Place], directory: str) -> tuple[Write, ...]:
    if wanted and not directory:
        raise Unsupported(
            f"{PREFIX}unified cannot hold: this host has cgroups of version 1 only",
            hint="write the limits as the other fields of linux.resources",
        )
    for name in wanted:
        controller = {"io": "blkio"}.get(name.partition(".")[0], name.partition(".")[0])
        place = places.get(controller)
        if controller != "cgroup" and not (place and place.unified):
            raise unavailable(f"unified[{name!r}]", controller)
    return tuple(
        Write(directory, setting)
        for name, text in wanted.items()
        for setting in lines(f"unified[{name!r}]", name, tuple(text.splitlines()))
    )
