# SPDX-License-Identifier: Apache-2.0
"""Hermit: the kernel is its loader, the initrd is the application, and words are split as a shell does.

Options as in the kernel's src/env/mod.rs; what it does not know there it only reports.  An address in the
form `ip=ADDRESS/PREFIX`, which other implementations write, is among that.
"""

from __future__ import annotations

from urunc.errors import Unsupported
from urunc.guests._words import netmask, require_x86
from urunc.machine import MODERN_VIRTIO, ContainerRoot, Guest, Initrd, Nic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.machine import Facts

MINIMUM_MIB = 32
ROOTS = (Initrd,)
CONTAINER = ContainerRoot()
PLACES: tuple[str, ...] = ()
BOOTS_FROM_INITRD = False
NICS = 1

_USUAL_MTU = 1500
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789%+,-./:=@_^")


def describe(facts: Facts) -> Guest:
    """Its way to leave with a status is a device whose success QEMU reports as 3, so it does without."""
    require_x86("hermit", facts)
    if not isinstance(facts.root, Initrd):
        raise Unsupported(
            "a hermit unikernel is started by its loader, which needs the application as an initrd",
            hint="set the annotation initrd to the application, and binary to the loader",
        )
    words = [*_address(facts), *(f"env={word}" for word in facts.app.env)]
    if facts.app.args:
        words += ["--", *facts.app.args]
    return Guest(
        cmdline=" ".join(map(_quote, words)),
        initrd=facts.root.path,
        nics=(Nic("net0", facts.network),) if facts.network else (),
        quirks=frozenset({MODERN_VIRTIO}),
    )


def _address(facts: Facts) -> list[str]:
    net = facts.network
    if not net or not net.address:
        return []
    words = ["-ip", net.address, "-mask", netmask(net.prefix)]
    if net.gateway:
        words += ["-gateway", net.gateway]
    if net.mtu != _USUAL_MTU:
        words.append(f"env=HERMIT_MTU={net.mtu}")
    return words


def _quote(word: str) -> str:
    if word and _PLAIN.issuperset(word):
        return word
    return "'" + word.replace("'", "'\"'\"'") + "'"
