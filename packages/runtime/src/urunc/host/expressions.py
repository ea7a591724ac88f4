# SPDX-License-Identifier: Apache-2.0
"""What rules of nftables consist of: expressions that look at a packet, or change it.  Pure."""

from __future__ import annotations

import _socket
import _struct

from urunc.host.netlink import NLA_F_NESTED, attribute
from urunc.host.nftables import IP, IP6

# nf_tables.h
_ELEMENT, _VALUE, _VERDICT = 1, 1, 2
_REGISTER, _OTHER_REGISTER, _VERDICT_REGISTER = 1, 2, 0
_EQUAL, _DIFFERENT, _NOT_MORE, _NOT_LESS = 0, 1, 3, 5
_META_IIFNAME, _META_OIFNAME, _META_L4PROTO = 6, 7, 16
_NETWORK, _TRANSPORT = 1, 2
_FIB_ADDRESS_TYPE, _FIB_DESTINATION, _LOCAL = 3, 2, 2
_META_PROTOCOL, _ETH_P_IP = 1, 0x0800
_META_PKTTYPE, _PACKET_HOST, _IP_CHECKSUM, _INTERNET, _PSEUDO_HEADER = 19, 0, 10, 1, 1
_SOCKET_WILDCARD, _NEITHER, _DNAT, _ACCEPT = 2, 2, 1, 1
# Where a header has the addresses.
_SOURCE, _DESTINATION = {IP: 12, IP6: 8}, {IP: 16, IP6: 24}
_LOOPBACK = {IP: b"\x7f", IP6: bytes(15) + b"\1"}
_ICMP = {IP: 1, IP6: 58}
_PROTOCOLS = {"tcp": 6, "udp": 17}


def family(address: str) -> int:
    """That of the table for an address."""
    return IP6 if ":" in address else IP


def enters_by(name: str) -> tuple[bytes, ...]:
    """The interface that a packet has come from."""
    return _meta(_META_IIFNAME, name.encode().ljust(16, b"\0"))


def not_by(name: str) -> tuple[bytes, ...]:
    """Any other interface than this, or none."""
    return _meta(_META_IIFNAME, name.encode().ljust(16, b"\0"), different=True)


def leaves_by(name: str) -> tuple[bytes, ...]:
    """The interface that a packet will go to."""
    return _meta(_META_OIFNAME, name.encode().ljust(16, b"\0"))


def is_ip() -> tuple[bytes, ...]:
    """A packet of IPv4, where there may be others."""
    return _meta(_META_PROTOCOL, _struct.pack("!H", _ETH_P_IP))


def comes_from(address: str) -> tuple[bytes, ...]:
    """The address of the sender."""
    return _field(_NETWORK, _SOURCE[family(address)], _packed(address))


def goes_to(address: str) -> tuple[bytes, ...]:
    """The address of the receiver."""
    return _field(_NETWORK, _DESTINATION[family(address)], _packed(address))


def comes_from_loopback(family: int) -> tuple[bytes, ...]:
    """127.0.0.0/8, or ::1."""
    return _field(_NETWORK, _SOURCE[family], _LOOPBACK[family])


def is_local() -> tuple[bytes, ...]:
    """The receiver's address is one of this namespace, on whichever interface."""
    look_up = _expression(
        "fib", (1, _number(_REGISTER)), (2, _number(_FIB_ADDRESS_TYPE)), (3, _number(_FIB_DESTINATION))
    )
    return look_up, _compare(_struct.pack("=I", _LOCAL))


def ports(protocol: str, first: int, last: int) -> tuple[bytes, ...]:
    """The receiver's port."""
    kind = _meta(_META_L4PROTO, bytes((_PROTOCOLS[protocol],)))
    if first == last:
        return *kind, *_field(_TRANSPORT, 2, _struct.pack("!H", first))
    limits = (_struct.pack("!H", first), _NOT_LESS), (_struct.pack("!H", last), _NOT_MORE)
    return *kind, _payload(_TRANSPORT, 2, 2), *(_compare(value, how) for value, how in limits)


def no_icmp(family: int) -> tuple[bytes, ...]:
    """Any protocol that serves programs."""
    return _meta(_META_L4PROTO, bytes((_ICMP[family],)), different=True)


def has_socket() -> tuple[bytes, ...]:
    """A program of this namespace listens for it, be it on one address or on all."""
    load = _expression("socket", (1, _number(_SOCKET_WILDCARD)), (2, _number(_REGISTER)))
    return load, _compare(bytes((_NEITHER,)), _DIFFERENT)


def accept() -> tuple[bytes, ...]:
    """No further rule of this chain."""
    verdict = attribute(_VERDICT | NLA_F_NESTED, attribute(1, _number(_ACCEPT)))
    return (_expression("immediate", (1, _number(_VERDICT_REGISTER)), (2 | NLA_F_NESTED, verdict)),)


def lead_to(address: str, port: int = 0) -> tuple[bytes, ...]:
    """Another receiver; without a port, on the same one."""
    fields = [(1, _number(_DNAT)), (2, _number(family(address))), (3, _number(_REGISTER))]
    loads = [_load(_REGISTER, _packed(address))]
    if port:
        loads.append(_load(_OTHER_REGISTER, _struct.pack("!H", port)))
        fields.append((5, _number(_OTHER_REGISTER)))
    return *loads, _expression("nat", *fields)


def set_sender(address: str) -> tuple[bytes, ...]:
    """Another sender for this packet of IPv4 alone."""
    return _set(_SOURCE[IP], address)


def set_receiver(address: str) -> tuple[bytes, ...]:
    """Another receiver for this packet of IPv4 alone."""
    return _set(_DESTINATION[IP], address)


def set_for_this_host() -> tuple[bytes, ...]:
    """A frame to another station counts as one to us."""
    value = _load(_REGISTER, bytes((_PACKET_HOST,)))
    return value, _expression("meta", (2, _number(_META_PKTTYPE)), (3, _number(_REGISTER)))


def masquerade() -> tuple[bytes, ...]:
    """The address of the interface that it leaves by for the sender's."""
    return (_expression("masq"),)


def _expression(name: str, *fields: tuple[int, bytes]) -> bytes:
    data = b"".join(attribute(kind, value) for kind, value in fields)
    whole = attribute(1, name.encode() + b"\0") + attribute(2 | NLA_F_NESTED, data)
    return attribute(_ELEMENT | NLA_F_NESTED, whole)


def _meta(key: int, value: bytes, *, different: bool = False) -> tuple[bytes, ...]:
    load = _expression("meta", (2, _number(key)), (1, _number(_REGISTER)))
    return load, _compare(value, _DIFFERENT if different else _EQUAL)


def _field(base: int, offset: int, value: bytes) -> tuple[bytes, ...]:
    return _payload(base, offset, len(value)), _compare(value)


def _payload(base: int, offset: int, length: int) -> bytes:
    fields = (1, _REGISTER), (2, base), (3, offset), (4, length)
    return _expression("payload", *((kind, _number(number)) for kind, number in fields))


def _set(offset: int, address: str) -> tuple[bytes, ...]:
    """Both checksums follow: that of IP, and that of TCP or UDP, which covers the addresses."""
    numbers = (5, _REGISTER), (2, _NETWORK), (3, offset), (4, 4)
    checksums = (6, _INTERNET), (7, _IP_CHECKSUM), (8, _PSEUDO_HEADER)
    fields = [(kind, _number(number)) for kind, number in (*numbers, *checksums)]
    return _load(_REGISTER, _packed(address)), _expression("payload", *fields)


def _compare(value: bytes, how: int = _EQUAL) -> bytes:
    return _expression(
        "cmp",
        (1, _number(_REGISTER)),
        (2, _number(how)),
        (3 | NLA_F_NESTED, attribute(_VALUE, value)),
    )


def _load(register: int, value: bytes) -> bytes:
    return _expression("immediate", (1, _number(register)), (2 | NLA_F_NESTED, attribute(_VALUE, value)))


def _packed(address: str) -> bytes:
    kind = _socket.AF_INET6 if ":" in address else _socket.AF_INET
    return _socket.inet_pton(kind, address)


def _number(value: int) -> bytes:
    return _struct.pack("!I", value)
