# SPDX-License-Identifier: Apache-2.0
"""The container's resolv.conf, and the programs of its namespace that answer by it.

The guest gets a file of its own, beside config.json, where it lives as long as the container.  Engines write
theirs for good when the network is there, after the prestart hooks.
"""

from __future__ import annotations

import posix

from urunc import resolver
from urunc.errors import HostError
from urunc.host import files
from urunc.subnet import NAMESERVER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.bundle import Bundle
    from urunc.resolver import Server

_NAME = "urunc-resolv.conf"
_LONGEST = 1 << 16


def adapt(bundle: Bundle) -> Bundle:
    """The bundle with the guest's file in place of the container's, if it has one.  Raises HostError."""
    source = next((bind.source for bind in bundle.binds if bind.destination == resolver.PATH), "")
    if not source:
        return bundle
    own = f"{bundle.path}/{_NAME}"
    binds = tuple(
        bind.replace(source=own) if bind.destination == resolver.PATH else bind for bind in bundle.binds
    )
    return update(bundle.replace(binds=binds, resolv_conf=source))


def update(bundle: Bundle) -> Bundle:
    """The bundle with its name servers as they are now, and the guest's file as well.  Raises HostError."""
    if not bundle.resolv_conf:
        return bundle
    text = _read(bundle.resolv_conf)
    network = bundle.user_network
    for_guest = resolver.for_guest(text, network.nameserver if network else NAMESERVER)
    _write(f"{bundle.path}/{_NAME}", for_guest)
    return bundle.replace(
        nameservers=resolver.nameservers(for_guest),
        resolvers=resolver.on_loopback(resolver.nameservers(text)),
    )


def find(addresses: tuple[str, ...]) -> tuple[Server, ...]:
    """Where programs listen at these addresses of this network namespace's loopback."""
    if not addresses:
        return ()
    return tuple(
        server
        for protocol in ("udp", "tcp")
        for server in resolver.listening(_read(f"/proc/self/net/{protocol}"), protocol, addresses)
    )


def _write(path: str, text: str) -> None:
    """In place: it may be bound already."""
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | posix.O_NOFOLLOW | posix.O_CLOEXEC
    try:
        descriptor = posix.open(path, flags, 0o644)
        try:
            files.write_all(descriptor, text.encode(errors="surrogateescape"))
        finally:
            posix.close(descriptor)
    except OSError as error:
        raise HostError(f"write {path}, the guest's {resolver.PATH}", error) from error


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="surrogateescape") as file:
            return file.read(_LONGEST)
    except OSError as error:
        raise HostError(f"read {path}", error) from error
