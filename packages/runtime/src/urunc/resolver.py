# SPDX-License-Identifier: Apache-2.0
"""The name servers of a container, as its guest can reach them.  Pure.

One on the loopback of the container's namespace, as docker's is, has another address for the guest.
"""

from __future__ import annotations

from urunc_common.record import Record

PATH = "/etc/resolv.conf"
_LOOPBACK = "127."
_LISTEN, _DNS = "0A", 53


class Server(Record):
    """Where a name server on the loopback listens."""

    protocol: str
    address: str
    port: int


def nameservers(text: str) -> tuple[str, ...]:
    """Those of a resolv.conf, in its order."""
    lines = (line.split() for line in text.splitlines())
    return tuple(words[1] for words in lines if len(words) > 1 and words[0] == "nameserver")


def on_loopback(servers: tuple[str, ...]) -> tuple[str, ...]:
    """Those that only the namespace itself can reach."""
    return tuple(server for server in servers if server.startswith(_LOOPBACK))


def listening(text: str, protocol: str, addresses: tuple[str, ...]) -> tuple[Server, ...]:
    """Of the sockets in a file like /proc/net/udp, one for each protocol; port 53 comes before others.

    Docker leads port 53 to another, by rules that only the namespace's own packets pass.
    """
    found = [
        Server(protocol, address, port)
        for address, port, state in map(_socket, text.splitlines()[1:])
        if address in addresses and (protocol == "udp" or state == _LISTEN)
    ]
    return tuple(sorted(found, key=lambda one: (one.port != _DNS, addresses.index(one.address)))[:1])


def for_guest(text: str, instead: str) -> str:
    """The file with an address that means the same to the guest instead of those on the loopback."""
    return "".join(_line(line, instead) for line in text.splitlines(keepends=True))


def _socket(line: str) -> tuple[str, int, str]:
    fields = line.split()
    host, _, port = fields[1].partition(":")
    # The address is a number in the byte order of the machine.
    address = ".".join(str(byte) for byte in reversed(bytes.fromhex(host)))
    return address, int(port, 16), fields[3]


def _line(line: str, instead: str) -> str:
    words = line.split()
    if len(words) > 1 and words[0] == "nameserver" and words[1].startswith(_LOOPBACK):
        return f"nameserver {instead}\n"
    return line
