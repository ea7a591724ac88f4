# SPDX-License-Identifier: Apache-2.0
"""Unikraft: `Unikraft <parameters> -- <arguments>`, in the dialect of the version that the image names.

The parameters got new names in 0.16.1.  Slots that stay empty leave their space: the line is byte for
byte the one that other implementations write.
"""

from __future__ import annotations

from urunc.errors import Unsupported
from urunc.guests._words import netmask, quote
from urunc.machine import INITRD, NEWC, NINEP, VIRTIOFS, ContainerRoot, File, Guest, Initrd, Nic, Share
from urunc_common import cpio

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.machine import Facts, Network, Root, UserNetwork

MINIMUM_MIB = 16
ROOTS = (Initrd, Share)
CONTAINER = ContainerRoot(shares=(NINEP,), packed="cpio")
PLACES = (NEWC,)
BOOTS_FROM_INITRD = False
NICS = 1

_NEW_NAMES_SINCE = (0, 16, 1)
# Where the container names none; the parameter cannot be left out.
_NAME_SERVER = "8.8.8.8"


def describe(facts: Facts) -> Guest:
    """An image without a version, or with one that cannot be read, is taken for a new one."""
    console = "console=ttyS0" if facts.arch == "aarch64" else ""
    old = _version(facts.version) < _NEW_NAMES_SINCE
    slots = ["Unikraft", console, *(_old_slots(facts) if old else _slots(facts)), "--"]
    root = facts.root
    return Guest(
        cmdline=" ".join([*slots, *(quote("unikraft", word) for word in facts.app.args)]),
        initrd=root.path if isinstance(root, Initrd) else "",
        nics=(Nic("net0", facts.network),) if facts.network else (),
        shares=(root,) if isinstance(root, Share) else (),
        files=_files(facts),
    )


def _files(facts: Facts) -> tuple[File, ...]:
    """It reads one archive, up to its end, so copies have to be in that."""
    if not facts.copies:
        return ()
    content = cpio.archive(facts.copies, parents=False)
    return (File(INITRD, content, tuple(volume.source for volume in facts.volumes)),)


def _slots(facts: Facts) -> list[str]:
    """Environment, address, two slots of the old dialect, root."""
    env = " ".join(quote("unikraft", word) for word in facts.app.env)
    net = _addressed(facts)
    return [
        f"env.vars=[ {env} ]" if env else "",
        f"netdev.ip={net.address}/{net.prefix}:{net.gateway}:{_name_server(facts)}" if net else "",
        "",
        "",
        _mount(facts.root),
    ]


def _name_server(facts: Facts) -> str:
    return next((server for server in facts.app.nameservers if "." in server), _NAME_SERVER)


def _old_slots(facts: Facts) -> list[str]:
    """As `_slots`; the old dialect has no environment."""
    net = _addressed(facts)
    return [
        "",
        f"netdev.ipv4_addr={net.address}" if net else "",
        f"netdev.ipv4_gw_addr={net.gateway}" if net else "",
        f"netdev.ipv4_subnet_mask={netmask(net.prefix)}" if net else "",
        _old_mount(facts.root),
    ]


def _addressed(facts: Facts) -> Network | UserNetwork | None:
    """It knows addresses of IPv4 only."""
    return facts.network if facts.network and facts.network.address else None


def _mount(root: Root) -> str:
    if isinstance(root, Share):
        _require_9p(root)
        return f'vfs.fstab=[ "{root.tag}:/:9pfs:::" ]'
    return 'vfs.fstab=[ "initrd0:/:extract:::" ]' if root else ""


def _old_mount(root: Root) -> str:
    if isinstance(root, Share):
        raise Unsupported(
            "a unikraft unikernel before 0.16.1 cannot mount the container's root", hint="use an initrd"
        )
    return "vfs.rootfs=initrd" if root else ""


def _require_9p(share: Share) -> None:
    if share.kind == VIRTIOFS:
        raise Unsupported("a unikraft unikernel mounts a shared directory by 9p, not by virtiofs")


def _version(text: str) -> tuple[int, ...]:
    """v0.15.0 -> (0, 15, 0); what comes after the numbers does not count."""
    numbers = text.removeprefix("v").partition("-")[0].partition("+")[0].split(".")
    if not all(number.isdecimal() for number in numbers):
        return _NEW_NAMES_SINCE
    return tuple(int(number) for number in numbers)
