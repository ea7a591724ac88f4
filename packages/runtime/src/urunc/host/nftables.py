# SPDX-License-Identifier: Apache-2.0
"""The few messages of nftables that a guest's private network needs: tables, chains, rules.

Made by ourselves, since `nft` takes longer to start than all of them to send, and need not be installed.  A
test compares what the kernel then has with what it has from `nft`.
"""

from __future__ import annotations

import _struct
import posix
from errno import EAFNOSUPPORT, EINVAL, ENOENT, EOPNOTSUPP, EPROTONOSUPPORT

from urunc.errors import HostError
from urunc.host.netlink import (
    NETFILTER,
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
_NO_NF_TABLES = (EINVAL, EOPNOTSUPP, EPROTONOSUPPORT)
# What the kernel says to words that it does not know, whether nftables is missing or a part of it.
_UNKNOWN = (EAFNOSUPPORT, ENOENT, EOPNOTSUPP, EPROTONOSUPPORT)
_MODULES = (
    "load what is missing: modprobe -a nf_tables nft_chain_nat nft_fib_ipv4 nft_fib_ipv6 nft_masq nft_socket"
)

IP, NETDEV, IP6 = 2, 5, 10
PREROUTING, INPUT, FORWARD, OUTPUT, POSTROUTING = range(5)
INGRESS = 0


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


def make(table: str, requests: list[Request], *, instead: str = "") -> None:
    """Commit them here; a kernel that cannot is named as the cause, with what else could be done."""
    try:
        with Socket(NETFILTER) as socket:
            commit(socket, requests)
    except HostError as error:
        if error.errno not in _UNKNOWN:
            raise
        reason = f"the kernel lacks nftables, or its fib, nat, masq or socket ({posix.strerror(error.errno)})"
        failure = HostError(f"make the table {table} of nftables", OSError(error.errno, reason))
        failure.hint = f"{_MODULES}, or {instead}" if instead else _MODULES
        raise failure from error


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
    hook = attribute(1, _struct.pack("!I", chain.hook)) + attribute(2, _struct.pack("!i", chain.priority))
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
