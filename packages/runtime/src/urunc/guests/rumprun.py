# SPDX-License-Identifier: Apache-2.0
"""Rumprun: one JSON object, read by a scanner that takes the text of a string as it stands.

It decodes no escape: a backslash in the command line reaches the splitter of arguments, which takes the
next character literally, and one in a variable reaches the program.  Hence `env` may be repeated, and
`&`, `<`, `>` must not be escaped.
"""

from __future__ import annotations

from urunc.errors import Unsupported
from urunc.machine import EXT, Block, ContainerRoot, Disk, Guest, Nic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.machine import Facts, Network, UserNetwork

MINIMUM_MIB = 16
ROOTS = (Block,)
CONTAINER = ContainerRoot(filesystems=("ext2",), packed="ext2", mount_point="/data")
PLACES = (EXT,)
BOOTS_FROM_INITRD = False
NICS = 1


def describe(facts: Facts) -> Guest:
    """The keys have a fixed order: cmdline, env, net, blk."""
    root = facts.root
    members = [_member("cmdline", " ".join(_argument(word) for word in facts.app.args))]
    members += [_member("env", _variable(word)) for word in facts.app.env]
    if facts.network and facts.network.address:
        members.append(f'"net":{_network(facts.network)}')
    if isinstance(root, Block):
        members.append(f'"blk":{_disk(root)}')
    return Guest(
        cmdline="{" + ",".join(members) + "}",
        disks=(Disk(facts.solo5_block or "rootfs", root.path, root.readonly, root.format),)
        if isinstance(root, Block)
        else (),
        nics=(Nic(facts.solo5_net or "tap", facts.network),) if facts.network else (),
    )


def _member(key: str, text: str) -> str:
    return f'"{key}":"{text}"'


def _object(members: dict[str, str]) -> str:
    return "{" + ",".join(_member(key, text) for key, text in members.items()) + "}"


def _network(network: Network | UserNetwork) -> str:
    members = {"if": "ukvmif0", "cloner": "True", "type": "inet", "method": "static", "addr": network.address}
    # NetBSD refuses a gateway outside the guest's own subnet, so the subnet is made huge.
    members["mask"] = "1"
    if network.gateway:
        members["gw"] = network.gateway
    return _object(members)


def _disk(root: Block) -> str:
    if root.mount_point == "/":
        raise Unsupported(
            "a rumprun unikernel cannot mount its block image at /", hint="set blkMntPoint to /data, say"
        )
    return _object({"source": "etfs", "path": "/dev/ld0a", "fstype": "blk", "mountpoint": root.mount_point})


def _argument(word: str) -> str:
    if "'" in word:
        raise Unsupported(f"a rumprun unikernel cannot be given an argument with a single quote: {word}")
    literal = word.replace("\\", "\\\\").replace('"', '\\"')
    if not word or any(character in " \t\n" for character in word):
        return f"'{literal}'"
    return literal


def _variable(word: str) -> str:
    if '"' in word or "\\" in word:
        name = word.partition("=")[0]
        raise Unsupported(
            f"a rumprun unikernel cannot be given a variable with a double quote or backslash: {name}"
        )
    return word
