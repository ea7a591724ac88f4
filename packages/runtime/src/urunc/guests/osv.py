# SPDX-License-Identifier: Apache-2.0
"""OSv: options of its loader, then the command, each with a syntax of its own (core/commands.cc, loader.cc).

In options a backslash keeps the next character; in the command double quotes do, with a backslash before
those inside.  A dollar sign in the command begins a variable's name, and nothing keeps it from that.
"""

from __future__ import annotations

from urunc.errors import Unsupported
from urunc.guests._words import netmask
from urunc.machine import NINEP, POWER_BUTTON, VIRTIOFS, Block, ContainerRoot, Disk, Guest, Nic, Share

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.machine import Facts

MINIMUM_MIB = 64
ROOTS = (Block, Share)
CONTAINER = ContainerRoot(shares=(VIRTIOFS,))
PLACES: tuple[str, ...] = ()
BOOTS_FROM_INITRD = False
NICS = 8

_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_")


def describe(facts: Facts) -> Guest:
    """What its disk holds it finds out itself; without a disk it runs what is linked into its kernel."""
    root = facts.root
    words = [*map(_option, _options(facts)), *map(_word, facts.app.args)]
    return Guest(
        cmdline=" ".join(words),
        disks=(Disk("rootfs", root.path, root.readonly, root.format),) if isinstance(root, Block) else (),
        nics=tuple(Nic(f"net{index}", network) for index, network in enumerate(facts.networks)),
        shares=(root,) if isinstance(root, Share) else (),
        wishes=frozenset({POWER_BUTTON}),
    )


def _options(facts: Facts) -> list[str]:
    options = [*_root(facts), *_addresses(facts)]
    if facts.app.cwd != "/":
        options.append(f"--cwd={facts.app.cwd}")
    return [*options, *(f"--env={word}" for word in facts.app.env)]


def _root(facts: Facts) -> list[str]:
    root = facts.root
    if isinstance(root, Block) and root.mount_point != "/":
        raise Unsupported(
            f"an osv unikernel cannot mount its only disk at {root.mount_point}", hint="set blkMntPoint to /"
        )
    if not isinstance(root, Share):
        return []
    if root.kind == NINEP:
        raise Unsupported("an osv unikernel mounts a shared directory by virtiofs, not by 9p")
    return ["--rootfs=virtiofs"]


def _addresses(facts: Facts) -> list[str]:
    """It knows one address of IPv4 for each interface; without one it asks for it by DHCP."""
    words = [
        f"--ip=eth{index},{net.address},{netmask(net.prefix)}"
        for index, net in enumerate(facts.networks)
        if net.address
    ]
    gateways = [net.gateway for net in facts.networks if net.gateway]
    return [*words, f"--defaultgw={gateways[0]}"] if words and gateways else words


def _option(word: str) -> str:
    return "".join(f"\\{character}" if character in " \t\n\\" else character for character in word)


def _word(word: str) -> str:
    if "$" in word or not word.isascii():
        raise Unsupported(
            f"an osv unikernel cannot be given an argument with a dollar sign or beyond ASCII: {word}"
        )
    if word and _PLAIN.issuperset(word) and not word.startswith("-"):
        return word
    return '"' + word.replace("\\", "\\\\").replace('"', '\\"') + '"'
