# SPDX-License-Identifier: Apache-2.0
"""The container's output for a monitor that wants it above descriptor 2 and for writing only."""

from __future__ import annotations

import fcntl
import posix

from urunc.errors import HostError
from urunc.machine import Streams

_FIRST = 3
_SOCKET, _TYPE = 0o140000, 0o170000
_ACCESS = posix.O_WRONLY | posix.O_RDWR


def open_streams() -> Streams:
    """Standard output and error anew.  It needs /proc for one that can also be read.  Raises HostError."""
    try:
        stdout, stderr = _open(1), _open(2)
        sockets = frozenset(descriptor for descriptor in (stdout, stderr) if _is_socket(descriptor))
    except OSError as error:
        raise HostError("open the container's output for writing", error) from error
    return Streams(stdout, stderr, sockets)


def _open(descriptor: int) -> int:
    """Whoever shares an open file shares its position, so it is opened a second time only if it must be."""
    if _is_socket(descriptor) or fcntl.fcntl(descriptor, fcntl.F_GETFL) & _ACCESS == posix.O_WRONLY:
        return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, _FIRST)
    flags = posix.O_WRONLY | posix.O_APPEND | posix.O_NOCTTY | posix.O_CLOEXEC
    return posix.open(f"/proc/self/fd/{descriptor}", flags)


def _is_socket(descriptor: int) -> bool:
    return posix.fstat(descriptor).st_mode & _TYPE == _SOCKET
