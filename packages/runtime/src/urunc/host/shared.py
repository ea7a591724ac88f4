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
from urunc.host import forwarding, ipv6, netlink, nftables, rtnetlink, tap
from urunc.host.disconnection import stop_redirecting
from urunc.host.netlink import NLM_F_CREATE, NLM_F_REPLACE, Request, Socket
from urunc.machine import Address, Network, Route
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from urunc.host.tap import Owner
    from urunc.interfaces import Interface
    from urunc.resolver import Server
    from urunc.subnet import Ends, Subnet
    from urunc_common.ports import Ports

_MTU = 1500
_INSTEAD = "give a container that is alone in its pod the annotation run.urunc.network=own"


class Wish(Record):
    """Where the guest is to be, by the number of its slot, and what is to reach it."""

    place: Callable[[int], Subnet]
    ports: tuple[Ports, ...] = ()
    rest: bool = False
    """All that arrives for no other program."""
    servers: tuple[Server, ...] = ()
    """Name servers on the namespace's loopback."""
    switches: int = -1
    """Those of the namespace's IPv6, if the guest is to have IPv6, too."""

    @property
    def has_ipv6(self) -> bool:
        """Whether the guest's link has addresses of both versions of IP."""
        return self.switches >= 0


def attach(interfaces: Sequence[Interface], tun: int, owner: Owner, wish: Wish) -> Network:
    """Take a free slot; the first of the interfaces says how large packets may be."""
    place = _take_slot(tun, owner, wish)
    mtu = interfaces[0].mtu if interfaces else _MTU
    with Socket() as socket:
        # By one that had the namespace for itself, and was killed.
        stop_redirecting(socket, interfaces)
        socket.send(_make_link(place, mtu, owner, interfaces))
        if wish.has_ipv6:
            ipv6.forward(wish.switches, [found.name for found in interfaces])
            ipv6.enable(wish.switches, place.tap)
            socket.send(_add_ipv6(place))
    nftables.make(place.tap, _rules(place, owner, wish), instead=_INSTEAD)
    tap.give(tun, place.tap, owner)
    return _network(place, mtu, -1 if owner.persistent else tun, wish)


def _network(place: Subnet, mtu: int, descriptor: int, wish: Wish) -> Network:
    end = place.ipv4
    found = Network(place.tap, place.mac, end.guest, end.prefix, end.router, mtu, fd=descriptor)
    if not wish.has_ipv6:
        return found
    more = Address(place.ipv6.guest, place.ipv6.prefix)
    return found.replace(more=(more,), routes=(Route("default", place.ipv6.router),))


def _rules(place: Subnet, owner: Owner, wish: Wish) -> list[Request]:
    """A table for each version of IP, both called like the tap."""
    chains = forwarding.chains(place.tap, place.ipv4, wish.ports, rest=wish.rest, servers=wish.servers)
    made = nftables.replacement(nftables.IP, place.tap, owner.mark, chains)
    if wish.has_ipv6:
        chains = forwarding.chains(place.tap, place.ipv6, wish.ports, rest=wish.rest)
        made += nftables.replacement(nftables.IP6, place.tap, owner.mark, chains)
    return made


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
    return [
        Request(netlink.RTM_NEWLINK, plain, f"keep IPv6 off {name}", tolerated=(EAFNOSUPPORT,)),
        Request(netlink.RTM_NEWLINK, rtnetlink.link(index, *changes, up=True), f"set up {name}"),
        _address(name, place.ipv4),
        *(_forward(found) for found in interfaces),
    ]


def _add_ipv6(place: Subnet) -> list[Request]:
    """Not as for IPv4: the kernel asks for a station only by an address that it would give the link itself,
    and takes no packet for the loopback from a link that has no route there.
    """
    index, make = _socket.if_nametoindex(place.tap), NLM_F_CREATE | NLM_F_REPLACE
    station = rtnetlink.neighbour(index, place.ipv6.guest, place.mac)
    loopback = rtnetlink.local_route(index, forwarding.LOOPBACK[nftables.IP6])
    return [
        _address(place.tap, place.ipv6),
        Request(netlink.RTM_NEWNEIGH, station, f"tell {place.tap} where the guest is", make),
        Request(netlink.RTM_NEWROUTE, loopback, f"route from {place.tap} to the loopback", NLM_F_CREATE),
    ]


def _address(name: str, ends: Ends) -> Request:
    body = rtnetlink.address(_socket.if_nametoindex(name), ends.router, ends.prefix)
    return Request(netlink.RTM_NEWADDR, body, f"give {name} an address", NLM_F_CREATE | NLM_F_REPLACE)


def _forward(found: Interface) -> Request:
    """Answers to the guest arrive here."""
    body = rtnetlink.link(found.index, rtnetlink.ipv4(rtnetlink.FORWARDING))
    return Request(netlink.RTM_NEWLINK, body, f"forward what arrives by {found.name}")
