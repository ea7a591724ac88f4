# SPDX-License-Identifier: Apache-2.0
"""Mewz: a WebAssembly program linked into its kernel, which reads `ip=` and `gateway=` and nothing else.

It starts its network only if it is told all three of address, prefix and gateway.  It has neither arguments
nor environment to give to its program (src/param.zig, src/wasi.zig).
"""

from __future__ import annotations

from urunc.errors import Unsupported
from urunc.guests._words import require_x86
from urunc.machine import DEBUG_EXIT, MODERN_VIRTIO, ContainerRoot, Guest, Nic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.machine import Facts

MINIMUM_MIB = 512
ROOTS = ()
CONTAINER = ContainerRoot()
PLACES: tuple[str, ...] = ()
BOOTS_FROM_INITRD = False
NICS = 1

_NO_GATEWAY = "0.0.0.0"


def describe(facts: Facts) -> Guest:
    """The first argument is only the program's name."""
    require_x86("mewz", facts)
    if len(facts.app.args) > 1:
        raise Unsupported(
            f"a mewz unikernel cannot be given arguments: {' '.join(facts.app.args[1:])}",
            hint="leave them out",
        )
    return Guest(
        cmdline=_address(facts),
        nics=(Nic("net0", facts.network),) if facts.network else (),
        quirks=frozenset({MODERN_VIRTIO}),
        wishes=frozenset({DEBUG_EXIT}),
    )


def _address(facts: Facts) -> str:
    net = facts.network
    if not net or not net.address:
        return ""
    return f"ip={net.address}/{net.prefix} gateway={net.gateway or _NO_GATEWAY}"
