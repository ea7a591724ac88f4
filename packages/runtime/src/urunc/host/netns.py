# SPDX-License-Identifier: Apache-2.0
"""A look into another network namespace, from a process with one thread: it enters just to open a socket."""

from __future__ import annotations

import posix
from errno import EINVAL, EPROTONOSUPPORT

from urunc.errors import HostError
from urunc.host.netlink import ROUTE, Socket
from urunc.host.syscalls import CLONE_NEWNET, setns


def open_in(namespace: str, protocol: int = ROUTE) -> Socket | None:
    """A socket in another network namespace; None where the path does not lead to one any more.

    Nor is there one if the kernel does not speak the protocol.
    """
    try:
        target = _open(namespace)
    except FileNotFoundError:
        return None
    try:
        return _open_at(target, protocol)
    finally:
        posix.close(target)


def _open_at(target: int, protocol: int) -> Socket | None:
    home = _open("/proc/self/ns/net")
    try:
        setns(target, CLONE_NEWNET)
        try:
            return Socket(protocol)
        except HostError as error:
            if error.errno == EPROTONOSUPPORT:
                return None
            raise
        finally:
            setns(home, CLONE_NEWNET)
    except OSError as error:
        if error.errno == EINVAL:
            return None
        raise HostError("enter the container's network namespace", error) from error
    finally:
        posix.close(home)


def _open(path: str) -> int:
    return posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NONBLOCK)
