# SPDX-License-Identifier: Apache-2.0
"""What some guests need where others do with anything: arguments that they can be given, a root to boot."""

from __future__ import annotations

from urunc.machine import Initrd, Root

_ARGUMENTS = {"freebsd": ("/urunit", "app", "a b"), "mewz": ("app",)}
_ROOTS: dict[str, Root] = {"hermit": Initrd("/initrd")}
X86_ONLY = frozenset({"freebsd", "hermit", "mewz"})


def arguments(guest: str) -> tuple[str, ...]:
    """A program and an argument, as far as this guest takes one."""
    return _ARGUMENTS.get(guest, ("app", "a b"))


def root(guest: str) -> Root:
    """None for a guest that boots without."""
    return _ROOTS.get(guest)
