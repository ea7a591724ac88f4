# SPDX-License-Identifier: Apache-2.0
"""Monitors: one module per `hypervisor` annotation.

To add one, write a module with the names of `MonitorModule` and give its
guests to `PAIRS` in urunc_common.rules.  A monitor never names a guest.
"""

from __future__ import annotations

from urunc.errors import Unsupported
from urunc_common.rules import MONITORS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Protocol

    from urunc.machine import LaunchPlan, Machine

    class MonitorModule(Protocol):
        """What every module in this package provides."""

        BINARY: Mapping[str, str]
        """Architecture -> the program's name."""

        PACKAGE: Mapping[str, str]
        """Architecture -> who has it, for the error "not installed"."""

        TAKES_TAP_FD: bool
        """It accepts an open tap; else it wants the name of one."""

        LARGEST_MTU: int
        """Of the networks whose packets it carries; a tap has 65521."""

        EMULATES: bool
        """It can do its work with KVM and, slowly, without."""

        OVERLAYS: bool
        """It can keep a guest's writes in a qcow2 file beside the image."""

        OFFERS: frozenset[str]
        """The quirks and wishes of guests that it can provide."""

        NEEDED: tuple[str, ...]
        """The system calls without which it does not run."""

        ALLOWED: tuple[str, ...]
        """All that it may call where the engine asks for seccomp; empty if it has a filter of its own."""

        MODELS: tuple[str, ...]
        """The kinds of machine that one can choose from."""

        MOST_VCPUS: int
        """As many processors as it can give to a guest."""

        def overhead_mib(self, accel: str, *, tight: bool) -> int:
            """The memory it needs besides its guest's; where that is tight, it takes less and is slower."""

        def launch(self, machine: Machine) -> LaunchPlan:
            """Pure: the command line that starts this machine."""


def load(name: str) -> MonitorModule:
    """The module for a `hypervisor` annotation."""
    if name not in MONITORS:
        raise Unsupported(f"unknown hypervisor {name!r}", hint=f"known: {', '.join(MONITORS)}")
    module: MonitorModule = __import__(f"{__name__}.{name.replace('-', '_')}", fromlist=["launch"])
    return module


def require(machine: Machine, monitor: str, *, offers: frozenset[str] = frozenset()) -> None:
    """Refuse a guest whose quirks this monitor cannot meet."""
    for quirk in sorted(machine.guest.quirks - offers):
        raise Unsupported(f"{monitor} cannot provide {quirk}")


def require_raw(machine: Machine, monitor: str) -> None:
    """Refuse an overlay, for a monitor that reads no qcow2."""
    for disk in machine.guest.disks:
        if disk.format != "raw":
            raise Unsupported(f"{monitor} reads raw images, not {disk.format}")


def require_printable(machine: Machine, monitor: str) -> None:
    """Refuse a command line with other than ASCII's printable characters, for a monitor that does."""
    line = machine.guest.cmdline
    if not (line.isascii() and line.isprintable()):
        raise Unsupported(
            f"{monitor} cannot pass on a command line with other than printable ASCII characters: {line!r}",
            hint="use qemu, or pass this to the guest in a file",
        )


def binary(names: Mapping[str, str], machine: Machine) -> str:
    """The program for the machine's architecture."""
    if machine.arch not in names:
        raise Unsupported(
            f"no monitor of this kind for {machine.arch}", hint=f"it is there for {', '.join(names)}"
        )
    return names[machine.arch]
