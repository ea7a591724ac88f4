# SPDX-License-Identifier: Apache-2.0
"""Any kernel that needs no special format: its command line is the arguments, nothing added."""

from __future__ import annotations

from urunc.machine import DEBUG_EXIT, Block, ContainerRoot, Disk, Guest, Initrd, Nic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.machine import Facts

MINIMUM_MIB = 8
ROOTS = (Initrd, Block)
CONTAINER = ContainerRoot()
PLACES: tuple[str, ...] = ()
BOOTS_FROM_INITRD = False
NICS = 1


def describe(facts: Facts) -> Guest:
    """The environment and the address are not passed on: there is no agreed way to say them."""
    root = facts.root
    nic, disk = facts.solo5_net or "net0", facts.solo5_block or "disk0"
    return Guest(
        cmdline=" ".join(facts.app.args),
        initrd=root.path if isinstance(root, Initrd) else "",
        disks=(Disk(disk, root.path, root.readonly, root.format),) if isinstance(root, Block) else (),
        nics=(Nic(nic, facts.network),) if facts.network else (),
        wishes=frozenset({DEBUG_EXIT}),
    )
