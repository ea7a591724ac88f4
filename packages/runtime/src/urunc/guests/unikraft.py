# SPDX-License-Identifier: Apache-2.0
"""Unikraft: `Unikraft <parameters> -- <arguments>`, in the dialect of the version that the image names.

The parameters got new names in 0.16.1.  Slots that stay empty leave their space: the line is byte for
byte the one that other implementations write.
"""

from __future__ import annotations

from urunc.guests._words import netmask, quote
from urunc.machine import NINEP, ContainerRoot, Guest, Initrd, Nic, Share

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.machine import Facts

MINIMUM_MIB = 16
ROOTS = (Initrd, Share)
CONTAINER = ContainerRoot(shares=(NINEP,), packed="cpio")
BOOTS_FROM_INITRD = False

_NEW_NAMES_SINCE = (0, 16, 1)
_NAME_SERVER = "8.8.8.8"


def describe(facts: Facts) -> Guest:
    """An image without a version, or with one that cannot be read, is taken for a new one."""
    console = "console=ttyS0" if facts.arch == "aarch64" else ""
    old = _version(facts.version) < _NEW_NAMES_SINCE
    slots = ["Unikraft", console, *(_old_slots(facts) if old else _slots(facts)), "--"]
    return Guest(
        cmdline=" ".join([*slots, *(quote("unikraft", word) for word in facts.app.args)]),
        initrd=facts.root.path if isinstance(facts.root, Initrd) else "",
        nics=(Nic("net0", facts.network),) if facts.network else (),
    )


def _slots(facts: Facts) -> list[str]:
    """Environment, address, two slots of the old dialect, root."""
    env = " ".join(quote("unikraft", word) for word in facts.app.env)
    net = facts.network
    return [
        f"env.vars=[ {env} ]" if env else "",
        f"netdev.ip={net.address}/{net.prefix}:{net.gateway}:{_NAME_SERVER}" if net else "",
        "",
        "",
        'vfs.fstab=[ "initrd0:/:extract:::" ]' if facts.root else "",
    ]


def _old_slots(facts: Facts) -> list[str]:
    """As `_slots`; the old dialect has no environment."""
    net = facts.network
    return [
        "",
        f"netdev.ipv4_addr={net.address}" if net else "",
        f"netdev.ipv4_gw_addr={net.gateway}" if net else "",
        f"netdev.ipv4_subnet_mask={netmask(net.prefix)}" if net else "",
        "vfs.rootfs=initrd" if facts.root else "",
    ]


def _version(text: str) -> tuple[int, ...]:
    """v0.15.0 -> (0, 15, 0); what comes after the numbers does not count."""
    numbers = text.removeprefix("v").partition("-")[0].partition("+")[0].split(".")
    if not all(number.isdecimal() for number in numbers):
        return _NEW_NAMES_SINCE
    return tuple(int(number) for number in numbers)
