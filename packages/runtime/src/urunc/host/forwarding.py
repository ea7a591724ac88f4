# SPDX-License-Identifier: Apache-2.0
"""What leads to a guest on a private link, and what it may reach from there, as rules of nftables.  Pure.

Each guest has a table of its own, so priorities make the order: declared ports first, then what a guest finds
on the namespace's loopback, last what nobody else wants.
"""

from __future__ import annotations

from urunc import subnet
from urunc.host import expressions
from urunc.host.nftables import IP, IP6, OUTPUT, POSTROUTING, PREROUTING, Chain
from urunc.subnet import NAMESERVER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from urunc.resolver import Server
    from urunc.subnet import Ends
    from urunc_common.ports import Ports

LOOPBACK = {IP: "127.0.0.1", IP6: "::1"}
# The first one is before that of everybody's own redirections, -100, also with a slot added.
_DECLARED, _LOOPBACK, _REST, _SOURCE = -190, -99, -98, 100
_MOST = 80
_DNS = 53


def chains(
    tap: str, ends: Ends, ports: Iterable[Ports], *, rest: bool, servers: Iterable[Server] = ()
) -> tuple[Chain, ...]:
    """The rules of one guest, for one version of IP."""
    declared = tuple(_declared(ends, one) for one in ports)
    # Of chains with one priority the kernel asks the newest, which would take from others what they have.
    later = min(subnet.slot(tap), _MOST)
    return (
        Chain("arriving", "nat", PREROUTING, _DECLARED + later, declared),
        # From the namespace itself, by its address or through the loopback.
        Chain("own", "nat", OUTPUT, _DECLARED + later, declared),
        Chain("loopback", "nat", PREROUTING, _LOOPBACK, _to_loopback(tap, ends, servers)),
        Chain("rest", "nat", PREROUTING, _REST + later, _rest(tap, ends) if rest else ()),
        Chain("source", "nat", POSTROUTING, _SOURCE, _source(tap, ends)),
    )


def to_servers(tap: str, servers: Iterable[Server]) -> tuple[tuple[bytes, ...], ...]:
    """What is asked of the name server's address goes to the loopback."""
    return tuple(
        (
            *expressions.enters_by(tap),
            *expressions.goes_to(NAMESERVER),
            *expressions.ports(server.protocol, _DNS, _DNS),
            *expressions.lead_to(server.address, server.port),
        )
        for server in servers
    )


def _declared(ends: Ends, ports: Ports) -> tuple[bytes, ...]:
    return (
        *expressions.is_local(),
        *expressions.ports(ports.protocol, ports.first, ports.last),
        *expressions.lead_to(ends.guest),
    )


def _to_loopback(tap: str, ends: Ends, servers: Iterable[Server]) -> tuple[tuple[bytes, ...], ...]:
    """The router's address is the guest's name for what containers beside it call localhost."""
    loopback = LOOPBACK[expressions.family(ends.router)]
    here = (
        *expressions.enters_by(tap),
        *expressions.goes_to(ends.router),
        *expressions.lead_to(loopback),
    )
    return *to_servers(tap, servers), here


def _rest(tap: str, ends: Ends) -> tuple[tuple[bytes, ...], ...]:
    from_elsewhere = expressions.not_by(tap)
    no_icmp = expressions.no_icmp(expressions.family(ends.guest))
    return (
        (*from_elsewhere, *expressions.has_socket(), *expressions.accept()),
        (*from_elsewhere, *expressions.is_local(), *no_icmp, *expressions.lead_to(ends.guest)),
    )


def _source(tap: str, ends: Ends) -> tuple[tuple[bytes, ...], ...]:
    """Nobody else knows the way to the guest's address, and the guest none to another's loopback."""
    from_loopback = expressions.comes_from_loopback(expressions.family(ends.guest))
    return (
        (*expressions.comes_from(ends.guest), *expressions.masquerade()),
        (*expressions.leaves_by(tap), *from_loopback, *expressions.masquerade()),
    )
