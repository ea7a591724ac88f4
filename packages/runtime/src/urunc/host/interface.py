# SPDX-License-Identifier: Apache-2.0
"""The interfaces, addresses and routes of a network namespace, as the kernel lists them."""

from __future__ import annotations

import _socket
import _struct

from urunc.host import netlink
from urunc.interfaces import Link, LinkAddress, LinkRoute

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.host.netlink import Socket

# if.h, if_addr.h, rtnetlink.h
_IFF_LOWER_UP = 1 << 16
_IFA_ADDRESS, _IFA_LOCAL, _SCOPE_LINK = 1, 2, 253
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PRIORITY, _RTA_VIA = 1, 4, 5, 6, 18
_RT_TABLE_MAIN, _RTPROT_KERNEL, _RTN_UNICAST = 254, 2, 1
_SIZES = {_socket.AF_INET: 4, _socket.AF_INET6: 16}


def links(socket: Socket) -> list[Link]:
    """Every interface in the socket's network namespace."""
    return [_link(body) for body in socket.dump(netlink.RTM_GETLINK)]


def addresses(socket: Socket) -> list[LinkAddress]:
    """Every address but those of IPv6 that the kernel gives each link by itself."""
    return [_address(body) for body in socket.dump(netlink.RTM_GETADDR) if not _is_automatic(body)]


def routes(socket: Socket) -> list[LinkRoute]:
    """The main table's, but for those with several next hops, or one of another version of IP."""
    found = [body for body in socket.dump(netlink.RTM_GETROUTE) if _is_main(body)]
    return [_route(body) for body in found if _is_plain(netlink.attributes(body, 12))]


def _link(body: bytes) -> Link:
    kind, index, flags = _struct.unpack_from("=HiI", body, 2)
    found = netlink.attributes(body, 16)
    return Link(
        index,
        _text(found[netlink.IFLA_IFNAME]),
        kind,
        found.get(netlink.IFLA_ADDRESS, b"").hex(":"),
        _number(found[netlink.IFLA_MTU]),
        _text(found.get(netlink.IFLA_IFALIAS, b"")),
        bool(flags & _IFF_LOWER_UP),
    )


def _is_automatic(body: bytes) -> bool:
    return body[0] == _socket.AF_INET6 and body[3] == _SCOPE_LINK


def _address(body: bytes) -> LinkAddress:
    found = netlink.attributes(body, 8)
    # On a point-to-point link IFA_ADDRESS is the peer's.
    own, other = found.get(_IFA_LOCAL), found.get(_IFA_ADDRESS)
    address = _socket.inet_ntop(body[0], own or other or b"")
    return LinkAddress(_number(body[4:8]), address, body[1], bool(own and other and own != other))


def _is_main(body: bytes) -> bool:
    return body[0] in _SIZES and (body[4], body[7]) == (_RT_TABLE_MAIN, _RTN_UNICAST)


def _is_plain(found: dict[int, bytes]) -> bool:
    return _RTA_OIF in found and _RTA_VIA not in found


def _route(body: bytes) -> LinkRoute:
    found = netlink.attributes(body, 12)
    family, prefix = body[0], body[1]
    destination = _socket.inet_ntop(family, found.get(_RTA_DST, bytes(_SIZES[family])))
    gateway = found.get(_RTA_GATEWAY)
    return LinkRoute(
        _number(found[_RTA_OIF]),
        f"{destination}/{prefix}",
        _socket.inet_ntop(family, gateway) if gateway else "",
        _number(found.get(_RTA_PRIORITY, b"")),
        body[5] == _RTPROT_KERNEL,
    )


def _number(value: bytes) -> int:
    number: int = int.from_bytes(value, "little")
    return number


def _text(value: bytes) -> str:
    return value.rstrip(b"\0").decode(errors="replace")
