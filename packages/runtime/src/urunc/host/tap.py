# SPDX-License-Identifier: Apache-2.0
"""The tap, the guest's end of a network that the monitor opens.

Nothing can be opened by its path after the pivot, and what was opened before becomes a tap of the network
namespace in which it was opened.  So descriptors are opened in advance.
"""

from __future__ import annotations

import _struct
import fcntl
import posix

from urunc.errors import HostError
from urunc_common.record import Record

# if_tun.h
_TUNSETIFF, _TUNSETPERSIST, _TUNSETOWNER, _TUNSETGROUP = 0x400454CA, 0x400454CB, 0x400454CC, 0x400454CE
_IFF_TAP, _IFF_NO_PI, _IFF_VNET_HDR, _IFF_TUN_EXCL = 0x0002, 0x1000, 0x4000, 0x8000


class Owner(Record):
    """Whose a tap is, and how its monitor opens it.

    One that takes a descriptor gets the tap's, with virtio headers, and the tap ends with it.  One that opens
    the tap by its name needs it persistent and its user's.
    """

    container: str
    uid: int
    gid: int
    persistent: bool

    @property
    def mark(self) -> str:
        """What is written on all that is made for the container."""
        return mark(self.container)


def mark(container: str) -> str:
    """The kernel keeps 255 bytes of it."""
    return container[:200]


def open_tun() -> int:
    """A descriptor that can become a tap, but only in the network namespace in which it is opened."""
    try:
        return posix.open("/dev/net/tun", posix.O_RDWR | posix.O_CLOEXEC)
    except OSError as error:
        failure = HostError("open /dev/net/tun", error)
        failure.hint = "the guest's network needs the kernel's tun driver: modprobe tun"
        raise failure from error


def make(tun: int, name: str, owner: Owner, *, new: bool = False) -> None:
    """Let a descriptor be the tap of this name, which nobody may use; if `new`, there must be none.

    Raises OSError with EBUSY.
    """
    flags = _IFF_TAP | _IFF_NO_PI | (0 if owner.persistent else _IFF_VNET_HDR) | new * _IFF_TUN_EXCL
    fcntl.ioctl(tun, _TUNSETIFF, _struct.pack("16sH22x", name.encode(), flags))


def give(tun: int, name: str, owner: Owner) -> None:
    """The last step: until it is taken, the tap goes with its descriptor."""
    try:
        fcntl.ioctl(tun, _TUNSETOWNER, owner.uid)
        fcntl.ioctl(tun, _TUNSETGROUP, owner.gid)
        fcntl.ioctl(tun, _TUNSETPERSIST, int(owner.persistent))
    except OSError as error:
        raise HostError(f"give {name} to user {owner.uid} and group {owner.gid}", error) from error
