# SPDX-License-Identifier: Apache-2.0
"""The few rtnetlink messages that attaching a guest needs: links, their addresses, their traffic control."""

from __future__ import annotations

import _socket
import _struct

from urunc.host.netlink import IFLA_IFALIAS, IFLA_MTU, NLA_F_NESTED, attribute

# ip.h: what a link's IPv4 does.
FORWARDING, ROUTE_LOCALNET = 1, 26
# if_link.h, if.h, if_ether.h, if_addr.h
_IFLA_AF_SPEC = 26
_IFLA_INET_CONF, _IFA_ADDRESS, _IFA_LOCAL, _IFA_F_NODAD = 1, 1, 2, 2
_IFLA_INET6_ADDR_GEN_MODE, _IN6_ADDR_GEN_MODE_NONE = 8, b"\1"
_IFF_UP, _ETH_P_ALL, _ETH_P_IP = 1, 3, 0x0800
# rtnetlink.h
_RT_TABLE_LOCAL, _RTPROT_BOOT, _RTN_LOCAL, _RTA_DST, _RTA_OIF, _RTA_PRIORITY = 255, 3, 2, 1, 4, 6
_LAST = 1024
# neighbour.h
_NDA_DST, _NDA_LLADDR, _NUD_PERMANENT = 1, 2, 0x80
# pkt_sched.h, pkt_cls.h, tc_mirred.h
_TCA_KIND, _TCA_OPTIONS = 1, 2
_INGRESS_PARENT, _INGRESS_HANDLE = 0xFFFFFFF1, 0xFFFF0000
_TCA_U32_SEL, _TCA_U32_ACT, _TC_U32_TERMINAL = 5, 7, 1
_TCA_ACT_KIND, _TCA_ACT_OPTIONS, _TCA_MIRRED_PARMS, _TC_ACT_STOLEN, _TCA_EGRESS_REDIR = 1, 2, 2, 4, 1
# The priority of our filters. It is nobody else's, so a filter that has it is ours to remove.
PRIORITY = 0x7572


def link(index: int, *changes: bytes, up: bool = False) -> bytes:
    """A link, with what is to change about it."""
    return _struct.pack("=BxHiII", 0, 0, index, up * _IFF_UP, up * _IFF_UP) + b"".join(changes)


def mtu(size: int) -> bytes:
    """A link's largest packet."""
    return attribute(IFLA_MTU, _struct.pack("=I", size))


def alias(text: str) -> bytes:
    """The remark that `ip link` shows with a link."""
    return attribute(IFLA_IFALIAS, text.encode() + b"\0")


def no_ipv6_address() -> bytes:
    """Keeps the kernel from giving a link an IPv6 address of its own when it comes up."""
    mode = attribute(_IFLA_INET6_ADDR_GEN_MODE, _IN6_ADDR_GEN_MODE_NONE)
    return attribute(_IFLA_AF_SPEC, attribute(_socket.AF_INET6, mode))


def ipv4(*switches: int) -> bytes:
    """Turns these on for IPv4."""
    values = b"".join(attribute(switch, _struct.pack("=I", 1)) for switch in switches)
    return attribute(_IFLA_AF_SPEC, attribute(_socket.AF_INET, attribute(_IFLA_INET_CONF, values)))


def address(index: int, text: str, prefix: int) -> bytes:
    """An address of a link, of either version of IP; nobody is asked whether it is taken."""
    family, value = _packed(text)
    flags = _IFA_F_NODAD if family == _socket.AF_INET6 else 0
    fixed = _struct.pack("=BBBBi", family, prefix, flags, 0, index)
    return fixed + attribute(_IFA_LOCAL, value) + attribute(_IFA_ADDRESS, value)


def local_route(index: int, address: str) -> bytes:
    """What arrives on a link for an address of this host is delivered; other links' routes come before."""
    family, value = _packed(address)
    fixed = _struct.pack(
        "=BBBBBBBBI", family, 8 * len(value), 0, 0, _RT_TABLE_LOCAL, _RTPROT_BOOT, 0, _RTN_LOCAL, 0
    )
    numbers = (_RTA_OIF, index), (_RTA_PRIORITY, _LAST)
    return (
        fixed
        + attribute(_RTA_DST, value)
        + b"".join(attribute(kind, _struct.pack("=I", number)) for kind, number in numbers)
    )


def ingress(index: int) -> bytes:
    """The queueing discipline whose filters see every packet that arrives on a link."""
    return _traffic(index, _INGRESS_HANDLE, _INGRESS_PARENT, 0) + attribute(_TCA_KIND, b"ingress\0")


def our_filter(index: int) -> bytes:
    """Whatever filter of ours is on a link."""
    info = PRIORITY << 16 | _socket.htons(_ETH_P_ALL)
    return _traffic(index, 0, _INGRESS_HANDLE, info) + attribute(_TCA_KIND, b"u32\0")


def neighbour(index: int, address: str, mac: str) -> bytes:
    """Where an address is, for good."""
    family, value = _packed(address)
    fixed = _struct.pack("=BxxxiHBB", family, index, _NUD_PERMANENT, 0, 0)
    station = bytes.fromhex(mac.replace(":", ""))
    return fixed + attribute(_NDA_DST, value) + attribute(_NDA_LLADDR, station)


def passing_filter(index: int, address: str) -> bytes:
    """What is sent there by IPv4 meets none of the other filters."""
    # The receiver is at offset 16 of the header; without an action, a match is the end.
    number = _socket.inet_aton(address)
    selector = _struct.pack("=BBBxHHhhI", _TC_U32_TERMINAL, 0, 1, 0, 0, 0, 0, 0)
    selector += b"\xff" * 4 + number + _struct.pack("=ii", 16, 0)
    info = (PRIORITY - 1) << 16 | _socket.htons(_ETH_P_IP)
    head = _traffic(index, 0, _INGRESS_HANDLE, info) + attribute(_TCA_KIND, b"u32\0")
    return head + attribute(_TCA_OPTIONS, attribute(_TCA_U32_SEL, selector))


def filters(index: int) -> bytes:
    """All that see what arrives on a link."""
    return _traffic(index, 0, _INGRESS_HANDLE, 0)


def is_ours(body: bytes) -> bool:
    """Whether a filter has our priority."""
    info: int = _struct.unpack_from("=I", body, 16)[0]
    return info >> 16 == PRIORITY


def redirect(index: int, target: int) -> bytes:
    """The filter that sends all that arrives on one link out by another."""
    # struct tc_u32_sel with one struct tc_u32_key; its mask is zero, so everything matches.
    selector = _struct.pack("=BBBxHHhhI", _TC_U32_TERMINAL, 0, 1, 0, 0, 0, 0, 0) + bytes(16)
    actions = attribute(1, _mirred(target))
    options = attribute(_TCA_U32_ACT, actions) + attribute(_TCA_U32_SEL, selector)
    return our_filter(index) + attribute(_TCA_OPTIONS, options)


def _packed(address: str) -> tuple[int, bytes]:
    """Its version of IP, and its bytes."""
    family = _socket.AF_INET6 if ":" in address else _socket.AF_INET
    return family, _socket.inet_pton(family, address)


def _mirred(target: int) -> bytes:
    parameters = _struct.pack("=IIiiiiI", 0, 0, _TC_ACT_STOLEN, 0, 0, _TCA_EGRESS_REDIR, target)
    options = attribute(_TCA_ACT_OPTIONS | NLA_F_NESTED, attribute(_TCA_MIRRED_PARMS, parameters))
    return attribute(_TCA_ACT_KIND, b"mirred\0") + options


def _traffic(index: int, handle: int, parent: int, info: int) -> bytes:
    return _struct.pack("=BxxxiIII", 0, index, handle, parent, info)
