# SPDX-License-Identifier: Apache-2.0
"""Loop devices, which by default end with their last user: between two users they must not."""

from __future__ import annotations

import fcntl
import posix
from _struct import pack_into, unpack_from

# linux/loop.h
_GET_STATUS64, _SET_STATUS64 = 0x4C05, 0x4C04
_SIZE, _FLAGS_AT, _AUTOCLEAR = 232, 52, 4
_MAJOR = 7


def set_autoclear(device: str, *, wanted: bool) -> bool:
    """Whether it was to end with its last user before; nothing happens to other devices.  Raises OSError."""
    if posix.major(posix.stat(device).st_rdev) != _MAJOR:
        return False
    descriptor = posix.open(device, posix.O_RDWR | posix.O_CLOEXEC)
    try:
        status = bytearray(_SIZE)
        fcntl.ioctl(descriptor, _GET_STATUS64, status)
        (flags,) = unpack_from("=I", status, _FLAGS_AT)
        pack_into("=I", status, _FLAGS_AT, flags | _AUTOCLEAR if wanted else flags & ~_AUTOCLEAR)
        fcntl.ioctl(descriptor, _SET_STATUS64, bytes(status))
    finally:
        posix.close(descriptor)
    return bool(flags & _AUTOCLEAR)
