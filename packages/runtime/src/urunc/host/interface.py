# SPDX-License-Identifier: Apache-2.0
"""The interfaces of a network namespace, and which of them the guest takes over."""

from __future__ import annotations

import _socket
import _struct

from urunc.host import netlink
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# if_arp.h, if_addr.h, rtnetlink.h
ETHERNET = 1
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RT_TABLE_MAIN, _RTN_UNICAST = 4, 5, 6, 254, 1


class Link(Record):
    """A network interface."""

    index: int
    name: str
    kind: int
    mac: str
    mtu: int
    alias: str = ""


class Address(Record):
    """An IPv4 address of a link."""

    index: int
    address: str
    prefix: int


class Route(Record):
    """An IPv4 default route; no gateway: an empty string."""

    index: int
    gateway: str
    metric: int = 0


class Interface(Record):
    """The interface that the guest takes over; no gateway: an empty string."""

    index: int
    name: str
    mac: str
    mtu: int
    address: str
    prefix: int
    gateway: str


def find(socket: netlink.Socket) -> Interface | None:
    """The container's interface in the socket's network namespace."""
    addresses = [_address(body) for body in socket.dump(netlink.RTM_GETADDR, _socket.AF_INET)]
    routes = socket.dump(netlink.RTM_GETROUTE, _socket.AF_INET)
    return choose(links(socket), addresses, [_route(body) for body in routes if _is_default(body)])


def links(socket: netlink.Socket) -> list[Link]:
    """Every interface in the socket's network namespace."""
    return [_link(body) for body in socket.dump(netlink.RTM_GETLINK)]


def choose(links: Sequence[Link], addresses: Sequence[Address], routes: Sequence[Route]) -> Interface | None:
    """The interface of the best default route, else the first that has an address.

    Only Ethernet can be handed to a guest, which leaves out the loopback and tunnels.
    """
    ethernet = {link.index: link for link in links if link.kind == ETHERNET}
    # The kernel lists primary addresses first.
    primary = {found.index: found for found in reversed(addresses) if found.index in ethernet}
    usable = [route for route in routes if route.index in primary]
    if not usable:
        usable = [Route(index, "") for index in ethernet if index in primary]
    if not usable:
        return None
    best = min(usable, key=lambda route: route.metric)
    link, own = ethernet[best.index], primary[best.index]
    return Interface(link.index, link.name, link.mac, link.mtu, own.address, own.prefix, best.gateway)


def _link(body: bytes) -> Link:
    kind, index = _struct.unpack_from("=Hi", body, 2)
    found = netlink.attributes(body, 16)
    return Link(
        index,
        _text(found[netlink.IFLA_IFNAME]),
        kind,
        found.get(netlink.IFLA_ADDRESS, b"").hex(":"),
        _number(found[netlink.IFLA_MTU]),
        _text(found.get(netlink.IFLA_IFALIAS, b"")),
    )


def _address(body: bytes) -> Address:
    found = netlink.attributes(body, 8)
    # On a point-to-point link IFA_ADDRESS is the peer's.
    own = found.get(_IFA_LOCAL) or found[_IFA_ADDRESS]
    return Address(_number(body[4:8]), _socket.inet_ntoa(own), prefix=body[1])


def _is_default(body: bytes) -> bool:
    prefix, table, kind = body[1], body[4], body[7]
    return (prefix, table, kind) == (0, _RT_TABLE_MAIN, _RTN_UNICAST)


def _route(body: bytes) -> Route:
    found = netlink.attributes(body, 12)
    gateway = found.get(_RTA_GATEWAY)
    index, metric = _number(found.get(_RTA_OIF, b"")), _number(found.get(_RTA_PRIORITY, b""))
    return Route(index, _socket.inet_ntoa(gateway) if gateway else "", metric)


def _number(value: bytes) -> int:
    number: int = int.from_bytes(value, "little")
    return number


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")
