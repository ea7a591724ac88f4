# SPDX-License-Identifier: Apache-2.0
"""The few messages of nftables that a guest's private network needs.

Made by ourselves, since `nft` takes longer to start than all of them to send, and need not be installed.  A
test compares what the kernel then has with what it has from `nft`.
"""

from __future__ import annotations

import _socket
import _struct
from errno import EINVAL, ENOENT, EOPNOTSUPP, EPROTONOSUPPORT

from urunc.errors import HostError
from urunc.host.netlink import (
    NLA_F_NESTED,
    NLM_F_APPEND,
    NLM_F_CREATE,
    Request,
    Socket,
    attribute,
    attributes,
)
from urunc_common.record import Record

# nfnetlink.h, nf_tables.h
_SUBSYSTEM, _BATCH_BEGIN, _BATCH_END = 10, 0x10, 0x11
_NEWTABLE, _GETTABLE, _DELTABLE, _NEWCHAIN, _NEWRULE = (_SUBSYSTEM << 8 | kind for kind in (0, 1, 2, 3, 6))
_TABLE_NAME, _TABLE_HANDLE, _TABLE_USERDATA, _USERDATA_COMMENT = 1, 4, 6, 0
_CHAIN_TABLE, _CHAIN_NAME, _CHAIN_HOOK, _CHAIN_TYPE = 1, 3, 4, 7
_RULE_TABLE, _RULE_CHAIN, _RULE_EXPRESSIONS = 1, 2, 4
_ELEMENT, _VALUE, _VERDICT = 1, 1, 2
_REGISTER, _OTHER_REGISTER, _VERDICT_REGISTER = 1, 2, 0
_EQUAL, _DIFFERENT, _NOT_MORE, _NOT_LESS = 0, 1, 3, 5
_META_IIFNAME, _META_OIFNAME, _META_L4PROTO = 6, 7, 16
_NETWORK, _TRANSPORT = 1, 2
_FIB_ADDRESS_TYPE, _FIB_DESTINATION, _LOCAL = 3, 2, 2
_META_PROTOCOL, _ETH_P_IP = 1, 0x0800
_META_PKTTYPE, _PACKET_HOST, _IP_CHECKSUM, _INTERNET, _PSEUDO_HEADER = 19, 0, 10, 1, 1
_SOCKET_WILDCARD, _NEITHER, _DNAT, _ACCEPT = 2, 2, 1, 1
_IP_SOURCE, _IP_DESTINATION = 12, 16
_NO_NF_TABLES = (EINVAL, EOPNOTSUPP, EPROTONOSUPPORT)

IP, NETDEV = 2, 5
PREROUTING, INPUT, FORWARD, OUTPUT, POSTROUTING = range(5)
INGRESS = 0
PROTOCOLS = {"icmp": 1, "tcp": 6, "udp": 17}


class Table(Record):
    """A table that is there, with the comment that says whose it is."""

    family: int
    name: str
    handle: bytes
    comment: str


class Chain(Record):
    """A base chain, and its rules: each a sequence of expressions."""

    name: str
    kind: str
    hook: int
    priority: int
    rules: tuple[tuple[bytes, ...], ...]
    device: str = ""


def replacement(family: int, name: str, comment: str, chains: tuple[Chain, ...]) -> list[Request]:
    """One transaction that makes the table anew, whatever there was."""
    doing = f"make the table {name} of nftables"
    create = _named(name) + attribute(_TABLE_USERDATA, _comment(comment))
    messages = [
        # A table that is not there cannot be deleted.
        (_NEWTABLE, NLM_F_CREATE, _named(name)),
        (_DELTABLE, 0, _named(name)),
        (_NEWTABLE, NLM_F_CREATE, create),
    ]
    for chain in chains:
        messages.append((_NEWCHAIN, NLM_F_CREATE, _chain(name, chain)))
        messages += [
            (_NEWRULE, NLM_F_CREATE | NLM_F_APPEND, _rule(name, chain.name, rule)) for rule in chain.rules
        ]
    return [Request(kind, _head(family) + body, doing, flags) for kind, flags, body in messages]


def removal(table: Table) -> Request:
    """By its number, so that a table that has taken its place stays."""
    body = _head(table.family) + attribute(_TABLE_HANDLE, table.handle)
    return Request(_DELTABLE, body, f"remove the table {table.name} of nftables", tolerated=(ENOENT,))


def commit(socket: Socket, requests: list[Request]) -> None:
    """All of them or none."""
    if requests:
        border = _struct.pack("!BBH", 0, 0, _SUBSYSTEM)
        socket.send(requests, before=((_BATCH_BEGIN, border),), after=((_BATCH_END, border),))


def tables(socket: Socket) -> list[Table]:
    """All that there are; a kernel without nftables has none."""
    try:
        return [_table(body) for body in socket.dump(_GETTABLE, _head(0))]
    except HostError as error:
        if error.errno in _NO_NF_TABLES:
            return []
        raise


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
    return _field(_NETWORK, _IP_SOURCE, _socket.inet_aton(address))


def goes_to(address: str) -> tuple[bytes, ...]:
    """The address of the receiver."""
    return _field(_NETWORK, _IP_DESTINATION, _socket.inet_aton(address))


def comes_from_loopback() -> tuple[bytes, ...]:
    """127.0.0.0/8."""
    return _field(_NETWORK, _IP_SOURCE, b"\x7f")


def is_local() -> tuple[bytes, ...]:
    """The receiver's address is one of this namespace, on whichever interface."""
    look_up = _expression(
        "fib", (1, _number(_REGISTER)), (2, _number(_FIB_ADDRESS_TYPE)), (3, _number(_FIB_DESTINATION))
    )
    return look_up, _compare(_struct.pack("=I", _LOCAL))


def ports(protocol: str, first: int, last: int) -> tuple[bytes, ...]:
    """The receiver's port."""
    kind = _meta(_META_L4PROTO, bytes((PROTOCOLS[protocol],)))
    if first == last:
        return *kind, *_field(_TRANSPORT, 2, _struct.pack("!H", first))
    limits = (_struct.pack("!H", first), _NOT_LESS), (_struct.pack("!H", last), _NOT_MORE)
    return *kind, _payload(_TRANSPORT, 2, 2), *(_compare(value, how) for value, how in limits)


def no_icmp() -> tuple[bytes, ...]:
    """Any protocol that serves programs."""
    return _meta(_META_L4PROTO, bytes((PROTOCOLS["icmp"],)), different=True)


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
    fields = [(1, _number(_DNAT)), (2, _number(IP)), (3, _number(_REGISTER))]
    loads = [_load(_REGISTER, _socket.inet_aton(address))]
    if port:
        loads.append(_load(_OTHER_REGISTER, _struct.pack("!H", port)))
        fields.append((5, _number(_OTHER_REGISTER)))
    return *loads, _expression("nat", *fields)


def set_sender(address: str) -> tuple[bytes, ...]:
    """Another sender for this packet alone."""
    return _set(_IP_SOURCE, address)


def set_receiver(address: str) -> tuple[bytes, ...]:
    """Another receiver for this packet alone."""
    return _set(_IP_DESTINATION, address)


def set_for_this_host() -> tuple[bytes, ...]:
    """A frame to another station counts as one to us."""
    value = _load(_REGISTER, bytes((_PACKET_HOST,)))
    return value, _expression("meta", (2, _number(_META_PKTTYPE)), (3, _number(_REGISTER)))


def masquerade() -> tuple[bytes, ...]:
    """The address of the interface that it leaves by for the sender's."""
    return (_expression("masq"),)


def _head(family: int) -> bytes:
    return _struct.pack("!BBH", family, 0, 0)


def _named(name: str) -> bytes:
    return attribute(_TABLE_NAME, name.encode() + b"\0")


def _comment(text: str) -> bytes:
    value = text.encode() + b"\0"
    return bytes((_USERDATA_COMMENT, len(value))) + value


def _table(body: bytes) -> Table:
    found = attributes(body, 4)
    comment = found.get(_TABLE_USERDATA, b"")
    is_comment = comment[:1] == bytes((_USERDATA_COMMENT,))
    return Table(
        body[0],
        found[_TABLE_NAME].rstrip(b"\0").decode(errors="replace"),
        found[_TABLE_HANDLE],
        comment[2:].rstrip(b"\0").decode(errors="replace") if is_comment else "",
    )


def _chain(table: str, chain: Chain) -> bytes:
    hook = attribute(1, _number(chain.hook)) + attribute(2, _struct.pack("!i", chain.priority))
    if chain.device:
        hook += attribute(3, chain.device.encode() + b"\0")
    return (
        attribute(_CHAIN_TABLE, table.encode() + b"\0")
        + attribute(_CHAIN_NAME, chain.name.encode() + b"\0")
        + attribute(_CHAIN_HOOK | NLA_F_NESTED, hook)
        + attribute(_CHAIN_TYPE, chain.kind.encode() + b"\0")
    )


def _rule(table: str, chain: str, expressions: tuple[bytes, ...]) -> bytes:
    return (
        attribute(_RULE_TABLE, table.encode() + b"\0")
        + attribute(_RULE_CHAIN, chain.encode() + b"\0")
        + attribute(_RULE_EXPRESSIONS | NLA_F_NESTED, b"".join(expressions))
    )


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
    return _load(_REGISTER, _socket.inet_aton(address)), _expression("payload", *fields)


def _compare(value: bytes, how: int = _EQUAL) -> bytes:
    return _expression(
        "cmp",
        (1, _number(_REGISTER)),
        (2, _number(how)),
        (3 | NLA_F_NESTED, attribute(_VALUE, value)),
    )


def _load(register: int, value: bytes) -> bytes:
    return _expression("immediate", (1, _number(register)), (2 | NLA_F_NESTED, attribute(_VALUE, value)))


def _number(value: int) -> bytes:
    return _struct.pack("!I", value)
