# SPDX-License-Identifier: Apache-2.0
"""The name servers of a container, as its guest can reach them.  Pure.

One on the loopback of the container's namespace, as docker's is, has another address for the guest.
"""

from __future__ import annotations

from urunc.subnet import NAMESERVER
from urunc_common.record import Record

PATH = "/etc/resolv.conf"
_LOOPBACK = "127."


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


def for_guest(text: str) -> str:
    """The file with addresses that mean the same to the guest."""
    return "".join(_line(line) for line in text.splitlines(keepends=True))


def _line(line: str) -> str:
    words = line.split()
    if len(words) > 1 and words[0] == "nameserver" and words[1].startswith(_LOOPBACK):
        return f"nameserver {NAMESERVER}\n"
    return line
