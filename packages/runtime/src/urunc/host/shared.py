# SPDX-License-Identifier: Apache-2.0
"""A guest beside others in one network namespace: it has a private link, and the namespace is its router.

Ports of the namespace lead to the guest, whose own traffic leaves under the namespace's addresses.  What is
made does not depend on who else is there or will be: each guest has a slot, a tap and a table of rules.
"""

from __future__ import annotations

import _socket
from errno import EAFNOSUPPORT, EBUSY

from urunc import subnet
from urunc.errors import HostError
from urunc.host import forwarding, netlink, nftables, rtnetlink, tap
from urunc.host.disconnection import stop_redirecting
from urunc.host.netlink import NETFILTER, NLM_F_CREATE, NLM_F_REPLACE, Request, Socket
from urunc.machine import Network
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from urunc.host.tap import Owner
    from urunc.interfaces import Interface
    from urunc.resolver import Server
    from urunc.subnet import Subnet
    from urunc_common.ports import Ports

_MTU = 1500


class Wish(Record):
    """Where the guest is to be, by the number of its slot, and what is to reach it."""

    place: Callable[[int], Subnet]
    ports: tuple[Ports, ...] = ()
    rest: bool = False
    """All that arrives for no other program."""
    servers: tuple[Server, ...] = ()
    """Name servers on the namespace's loopback."""


def attach(interfaces: Sequence[Interface], tun: int, owner: Owner, wish: Wish) -> Network:
    """Take a free slot; the first of the interfaces says how large packets may be."""
    place = _take_slot(tun, owner, wish)
    mtu = interfaces[0].mtu if interfaces else _MTU
    with Socket() as socket:
        # By one that had the namespace for itself, and was killed.
        stop_redirecting(socket, interfaces)
        socket.send(_make_link(place, mtu, owner, interfaces))
    chains = forwarding.chains(place, wish.ports, rest=wish.rest, servers=wish.servers)
    with Socket(NETFILTER) as socket:
        nftables.commit(socket, nftables.replacement(nftables.IP, place.tap, owner.mark, chains))
    tap.give(tun, place.tap, owner)
    descriptor = -1 if owner.persistent else tun
    return Network(place.tap, place.mac, place.guest, place.prefix, place.router, mtu, fd=descriptor)


def _take_slot(tun: int, owner: Owner, wish: Wish) -> Subnet:
    """The kernel lets only one have a tap of a name, so no lock is needed."""
    for slot in subnet.SLOTS:
        place = wish.place(slot)
        try:
            tap.make(tun, place.tap, owner, new=True)
        except OSError as error:
            if error.errno != EBUSY:
                raise HostError(f"make {place.tap}", error) from error
        else:
            return place
    raise HostError("find a free tap", OSError(EBUSY, f"all {len(subnet.SLOTS)} are in use"))


def _make_link(place: Subnet, mtu: int, owner: Owner, interfaces: Sequence[Interface]) -> list[Request]:
    index, name = _socket.if_nametoindex(place.tap), place.tap
    plain = rtnetlink.link(index, rtnetlink.no_ipv6_address())
    routing = (rtnetlink.FORWARDING, rtnetlink.ROUTE_LOCALNET)
    changes = (rtnetlink.mtu(mtu), rtnetlink.alias(owner.mark), rtnetlink.ipv4(*routing))
    address = rtnetlink.address(index, place.router, place.prefix)
    return [
        Request(netlink.RTM_NEWLINK, plain, f"keep IPv6 off {name}", tolerated=(EAFNOSUPPORT,)),
        Request(netlink.RTM_NEWLINK, rtnetlink.link(index, *changes, up=True), f"set up {name}"),
        Request(netlink.RTM_NEWADDR, address, f"give {name} an address", NLM_F_CREATE | NLM_F_REPLACE),
        *(_forward(found) for found in interfaces),
    ]


def _forward(found: Interface) -> Request:
    """Answers to the guest arrive here."""
    body = rtnetlink.link(found.index, rtnetlink.ipv4(rtnetlink.FORWARDING))
    return Request(netlink.RTM_NEWLINK, body, f"forward what arrives by {found.name}")
