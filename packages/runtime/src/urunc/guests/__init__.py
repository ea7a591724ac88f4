# SPDX-License-Identifier: Apache-2.0
"""Guests: one module per unikernel type.

To add one, write a module with the names of `GuestModule` and give its
name to `PAIRS` in urunc_common.rules.  A guest never names a monitor.
"""

from __future__ import annotations

from urunc.errors import Unsupported
from urunc_common.rules import GUESTS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from urunc.machine import ContainerRoot, Facts, Guest

    class GuestModule(Protocol):
        """What every module in this package provides."""

        MINIMUM_MIB: int
        """The smallest memory that it boots in."""

        ROOTS: tuple[type, ...]
        """The kinds of root file system that it can mount; none at all is always possible."""

        CONTAINER: ContainerRoot
        """How it can have the container's own root."""

        PLACES: tuple[str, ...]
        """The formats of roots that copies of volumes can be put into: NEWC, COMPRESSED, EXT."""

        BOOTS_FROM_INITRD: bool
        """It can have an initrd besides its root, that finds the root."""

        NICS: int
        """How many networks it can have."""

        def describe(self, facts: Facts) -> Guest:
            """Pure: what the unikernel asks for."""


def has_first_process(guest: GuestModule, args: tuple[str, ...]) -> bool:
    """Whether our own first process starts the program: on Linux, unless it is urunit."""
    from urunc.guests import _urunit

    return guest.BOOTS_FROM_INITRD and not _urunit.is_first(args)


def load(name: str) -> GuestModule:
    """The module for a `unikernelType` annotation."""
    if name not in GUESTS:
        raise Unsupported(f"unknown unikernel type {name!r}", hint=f"known: {', '.join(GUESTS)}")
    module: GuestModule = __import__(f"{__name__}.{name.replace('-', '_')}", fromlist=["describe"])
    return module
