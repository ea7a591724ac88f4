# SPDX-License-Identifier: Apache-2.0
"""FreeBSD: each `name=value` of the PVH command line becomes a variable of the kernel's environment.

Blanks and commas separate them, without a way to quote, and one is cut off after 127 bytes.  The first
process is started without arguments, environment or address; urunit, when it is that, reads all of them
from a raw disk behind the others, in the lines that other implementations write.
"""

from __future__ import annotations

from urunc.errors import Unsupported
from urunc.guests._words import netmask, require_x86
from urunc.machine import (
    NINEP,
    NO_PCI,
    PC_TIMERS,
    POWER_BUTTON,
    VIRTIOFS,
    Block,
    ContainerRoot,
    Disk,
    File,
    Guest,
    Nic,
    Share,
)  # fmt: skip

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.machine import App, Facts

MINIMUM_MIB = 128
ROOTS = (Block, Share)
CONTAINER = ContainerRoot(shares=(NINEP,))
PLACES: tuple[str, ...] = ()
BOOTS_FROM_INITRD = False
NICS = 1

_CONFIG = "/urunit.disk"
_LONGEST = 127
_SEPARATORS = frozenset(" \t\n,")
_SECTOR = 512


def describe(facts: Facts) -> Guest:
    """A disk of the image holds UFS, FreeBSD's own file system."""
    require_x86("freebsd", facts)
    root = facts.root
    disks = [Disk("rootfs", root.path, root.readonly, root.format)] if isinstance(root, Block) else []
    words = [*_root(facts), *_first_process(facts.app)]
    files: tuple[File, ...] = ()
    if _has_urunit(facts.app):
        words += [f"URUNIT_CONFIG=/dev/vtbd{len(disks)}", *_route(facts)]
        files = (File(_CONFIG, _config(facts)),)
        disks.append(Disk("urunit", _CONFIG, readonly=True))
    return Guest(
        cmdline=" ".join(map(_variable, words)),
        disks=tuple(disks),
        nics=(Nic("net0", facts.network),) if facts.network else (),
        shares=(root,) if isinstance(root, Share) else (),
        files=files,
        quirks=frozenset({PC_TIMERS}),
        wishes=frozenset({NO_PCI, POWER_BUTTON}),
    )


def _has_urunit(app: App) -> bool:
    return bool(app.args) and app.args[0].rpartition("/")[2] == "urunit"


def _root(facts: Facts) -> list[str]:
    root = facts.root
    if isinstance(root, Block) and root.mount_point != "/":
        raise Unsupported(
            f"a freebsd unikernel cannot mount its only disk at {root.mount_point}",
            hint="set blkMntPoint to /",
        )
    if isinstance(root, Share) and root.kind == VIRTIOFS:
        raise Unsupported("a freebsd unikernel mounts a shared directory by 9p, not by virtiofs")
    if isinstance(root, Share):
        return [f"vfs.root.mountfrom=p9fs:{root.tag}"]
    return ["vfs.root.mountfrom=ufs:/dev/vtbd0"] if isinstance(root, Block) else []


def _first_process(app: App) -> list[str]:
    if not app.args:
        return []
    if len(app.args) > 1 and not _has_urunit(app):
        raise Unsupported(
            f"the first process of a freebsd unikernel cannot be given arguments: {' '.join(app.args[1:])}",
            hint="start /urunit, with the program as its argument",
        )
    return [f"init_path={app.args[0]}"]


def _route(facts: Facts) -> list[str]:
    """urunit is told when the gateway is not in the address's own subnet."""
    net = facts.network
    if not net or not net.address or not net.gateway:
        return []
    host_bits = 32 - net.prefix
    inside = _number(net.address) >> host_bits == _number(net.gateway) >> host_bits
    return [] if inside else ["URUNIT_DEFROUTE=1"]


def _number(address: str) -> int:
    number = 0
    for part in address.split("."):
        number = number << 8 | int(part)
    return number


def _variable(word: str) -> str:
    if _SEPARATORS.intersection(word):
        raise Unsupported(f"the kernel of a freebsd unikernel takes no blank or comma: {word}")
    if len(word.encode(errors="surrogateescape")) > _LONGEST:
        raise Unsupported(f"the kernel of a freebsd unikernel takes at most {_LONGEST} bytes: {word}")
    return word


def _config(facts: Facts) -> bytes:
    app, net = facts.app, facts.network
    arguments = app.args[1:]
    for word in (*app.env, *arguments, app.cwd):
        if "\n" in word or word.startswith("UEE"):
            raise Unsupported(f"urunit cannot be told this: {word!r}")
    address = (net.address, net.gateway, netmask(net.prefix)) if net and net.address else ("", "", "")
    lines = [
        "UES", *app.env, "UEE",
        "UCS", f"UID:{app.uid}", f"GID:{app.gid}", f"WD:{app.cwd}",
        f"ARC:{len(arguments)}", *(f"ARV:{word}" for word in arguments), "UCE",
        "UBS", "UBE",
        "UNS", f"IP:{address[0]}", f"GW:{address[1]}", f"MSK:{address[2]}", "UNE",
        "PAD", "",
    ]  # fmt: skip
    text = "\n".join(lines).encode(errors="surrogateescape")
    return text + b"\n" * (-len(text) % _SECTOR)
