# SPDX-License-Identifier: Apache-2.0
"""The switches of IPv6 that only files have, which are to be opened before the pivot."""

from __future__ import annotations

import posix

from urunc.errors import HostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_FOLDER = "/proc/sys/net/ipv6/conf"
_BY_HOSTS, _BY_ROUTERS_TOO = b"1", b"2"
_OFF, _ON = b"0", b"1"


def open_switches() -> int:
    """Those of this network namespace; -1 where the kernel has no IPv6."""
    try:
        return posix.open(_FOLDER, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
    except FileNotFoundError:
        return -1
    except OSError as error:
        raise HostError(f"open {_FOLDER}", error) from error


def forward(switches: int, links: Iterable[str]) -> None:
    """Make the namespace a router, whose links still hear of others: routers by themselves do not listen."""
    if _read(switches, "all/forwarding") != _OFF:
        return
    for name in (*links, "default"):
        if _read(switches, f"{name}/accept_ra") == _BY_HOSTS:
            _write(switches, f"{name}/accept_ra", _BY_ROUTERS_TOO)
    _write(switches, "all/forwarding", _ON)


def enable(switches: int, link: str) -> None:
    """For one link, where new ones do not have it."""
    _write(switches, f"{link}/disable_ipv6", _OFF)


def _read(switches: int, name: str) -> bytes:
    try:
        file = posix.open(name, posix.O_RDONLY | posix.O_CLOEXEC, dir_fd=switches)
        try:
            return posix.read(file, 16).strip()
        finally:
            posix.close(file)
    except OSError as error:
        raise HostError(f"read {_FOLDER}/{name}", error) from error


def _write(switches: int, name: str, value: bytes) -> None:
    try:
        file = posix.open(name, posix.O_WRONLY | posix.O_CLOEXEC, dir_fd=switches)
        try:
            posix.write(file, value)
        finally:
            posix.close(file)
    except OSError as error:
        failure = HostError(f"write {value.decode()} to {_FOLDER}/{name}, for the guest's IPv6", error)
        failure.hint = "give the container the annotation run.urunc.network=own, if it is alone in its pod"
        raise failure from error
