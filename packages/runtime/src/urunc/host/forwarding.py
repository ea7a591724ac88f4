# SPDX-License-Identifier: Apache-2.0
"""What leads to a guest on a private link, and what it may reach from there, as rules of nftables.  Pure.

Each guest has a table of its own, so priorities make the order: declared ports first, then what a guest finds
on the namespace's loopback, last what nobody else wants.
"""

from __future__ import annotations

from urunc.host import nftables
from urunc.host.nftables import OUTPUT, POSTROUTING, PREROUTING, Chain
from urunc.subnet import NAMESERVER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from urunc.resolver import Server
    from urunc.subnet import Subnet
    from urunc_common.ports import Ports

LOOPBACK = "127.0.0.1"
_DECLARED, _LOOPBACK, _REST, _SOURCE = -100, -99, -98, 100
_DNS = 53


def chains(
    place: Subnet, ports: Iterable[Ports], *, rest: bool, servers: Iterable[Server] = ()
) -> tuple[Chain, ...]:
    """The rules of one guest."""
    declared = tuple(_declared(place, one) for one in ports)
    return (
        Chain("arriving", "nat", PREROUTING, _DECLARED, declared),
        # From the namespace itself, by its address or through the loopback.
        Chain("own", "nat", OUTPUT, _DECLARED, declared),
        Chain("loopback", "nat", PREROUTING, _LOOPBACK, _to_loopback(place, servers)),
        Chain("rest", "nat", PREROUTING, _REST, _rest(place) if rest else ()),
        Chain("source", "nat", POSTROUTING, _SOURCE, _source(place)),
    )


def to_servers(tap: str, servers: Iterable[Server]) -> tuple[tuple[bytes, ...], ...]:
    """What is asked of the name server's address goes to the loopback."""
    return tuple(
        (
            *nftables.enters_by(tap),
            *nftables.goes_to(NAMESERVER),
            *nftables.ports(server.protocol, _DNS, _DNS),
            *nftables.lead_to(server.address, server.port),
        )
        for server in servers
    )


def _declared(place: Subnet, ports: Ports) -> tuple[bytes, ...]:
    return (
        *nftables.is_local(),
        *nftables.ports(ports.protocol, ports.first, ports.last),
        *nftables.lead_to(place.guest),
    )


def _to_loopback(place: Subnet, servers: Iterable[Server]) -> tuple[tuple[bytes, ...], ...]:
    """The router's address is the guest's name for what containers beside it call localhost."""
    here = (*nftables.enters_by(place.tap), *nftables.goes_to(place.router), *nftables.lead_to(LOOPBACK))
    return *to_servers(place.tap, servers), here


def _rest(place: Subnet) -> tuple[tuple[bytes, ...], ...]:
    from_elsewhere = nftables.not_by(place.tap)
    return (
        (*from_elsewhere, *nftables.has_socket(), *nftables.accept()),
        (*from_elsewhere, *nftables.is_local(), *nftables.no_icmp(), *nftables.lead_to(place.guest)),
    )


def _source(place: Subnet) -> tuple[tuple[bytes, ...], ...]:
    """Nobody else knows the way to the guest's address, and the guest none to another's loopback."""
    return (
        (*nftables.comes_from(place.guest), *nftables.masquerade()),
        (*nftables.leaves_by(place.tap), *nftables.comes_from_loopback(), *nftables.masquerade()),
    )
