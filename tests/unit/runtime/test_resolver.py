# SPDX-License-Identifier: Apache-2.0
"""The name servers of a container, as its guest can reach them."""

from __future__ import annotations

import pytest

from urunc.resolver import Server, for_guest, listening, nameservers, on_loopback
from urunc.subnet import NAMESERVER

DOCKERS = "nameserver 127.0.0.11\noptions ndots:0\n"
TABLE = {
    "docker": (DOCKERS, f"nameserver {NAMESERVER}\noptions ndots:0\n", ("127.0.0.11",)),
    "an address of a network": ("search a\nnameserver 10.0.0.1\n", "search a\nnameserver 10.0.0.1\n", ()),
    "both": (
        "nameserver 127.0.0.53\nnameserver 10.0.0.1",
        f"nameserver {NAMESERVER}\nnameserver 10.0.0.1",
        ("127.0.0.53",),
    ),
    "a comment": ("# nameserver 127.0.0.1\n", "# nameserver 127.0.0.1\n", ()),
    "no address": ("nameserver\n", "nameserver\n", ()),
    "nothing": ("", "", ()),
}


@pytest.mark.parametrize(("text", "guests", "own"), TABLE.values(), ids=TABLE)
def test_only_name_servers_on_the_loopback_change(text: str, guests: str, own: tuple[str, ...]) -> None:
    assert for_guest(text, NAMESERVER).rstrip("\n") == guests.rstrip("\n")
    assert on_loopback(nameservers(text)) == own
    assert on_loopback(nameservers(for_guest(text, NAMESERVER))) == ()


HEAD = "  sl  local_address rem_address   st tx_queue rx_queue\n"
OWN, OTHER, FIFTY_THREE = (
    f"   0: {address} 00000000:0000 07 00000000:00000000\n"
    for address in ("0B00007F:9D2B", "0100007F:0277", "0B00007F:0035")
)
LISTENS, CONNECTED = OWN.replace(" 07 ", " 0A "), OWN.replace(" 07 ", " 01 ")
SOCKETS = {
    "the only one": ("udp", OTHER + OWN, [40235]),
    "the one at the port itself": ("udp", OWN + FIFTY_THREE, [53]),
    "another address": ("udp", OTHER, []),
    "one that listens": ("tcp", CONNECTED + LISTENS, [40235]),
    "one that does not": ("tcp", CONNECTED, []),
    "nobody": ("udp", "", []),
}


@pytest.mark.parametrize(("protocol", "lines", "ports"), SOCKETS.values(), ids=SOCKETS)
def test_the_socket_that_answers_is_found(protocol: str, lines: str, ports: list[int]) -> None:
    found = listening(HEAD + lines, protocol, ("127.0.0.11",))
    assert found == tuple(Server(protocol, "127.0.0.11", port) for port in ports)
