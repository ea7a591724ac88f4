# SPDX-License-Identifier: Apache-2.0
"""MirageOS: options for the address, then the arguments; splits words as its parse-argv library does."""

from __future__ import annotations

from urunc.guests._words import quote
from urunc.machine import DEBUG_EXIT, Block, ContainerRoot, Disk, Guest, Nic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.machine import Facts

MINIMUM_MIB = 8
ROOTS = (Block,)
CONTAINER = ContainerRoot()
PLACES: tuple[str, ...] = ()
BOOTS_FROM_INITRD = False
NICS = 1

_NET, _BLOCK = "service", "storage"


def describe(facts: Facts) -> Guest:
    """Mirage has no environment, and the image says by itself what its one disk is for."""
    root = facts.root
    net, block = facts.solo5_net or _NET, facts.solo5_block or _BLOCK
    words = [*_address(facts, net), *(quote("mirage", word) for word in facts.app.args)]
    return Guest(
        cmdline=" ".join(words),
        disks=(Disk(block, root.path, root.readonly, root.format),) if isinstance(root, Block) else (),
        nics=(Nic(net, facts.network),) if facts.network else (),
        # Without this device its virtio flavour stops the processor for ever instead of leaving.
        wishes=frozenset({DEBUG_EXIT}),
    )


def _address(facts: Facts, net: str) -> list[str]:
    if not facts.network or not facts.network.address:
        return []
    prefix = "--" if net == _NET else f"--{net}-"
    words = [f"{prefix}ipv4={facts.network.address}/{facts.network.prefix}"]
    if facts.network.gateway:
        words.append(f"{prefix}ipv4-gateway={facts.network.gateway}")
    return words
