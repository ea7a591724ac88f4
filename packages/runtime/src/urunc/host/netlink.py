# SPDX-License-Identifier: Apache-2.0
"""Netlink: messages, their attributes, and a socket that sends many in one batch.

pyroute2 takes sixty times as long to import as all of this takes to run; a test compares our bytes with its.
"""

from __future__ import annotations

import _socket
import _struct
import posix

from urunc.errors import HostError
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Self

    Border = tuple[int, bytes]

# rtnetlink.h
RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK = 16, 17, 18
RTM_NEWADDR, RTM_GETADDR, RTM_NEWROUTE, RTM_GETROUTE, RTM_NEWNEIGH = 20, 22, 24, 26, 28
RTM_NEWQDISC, RTM_DELQDISC, RTM_NEWTFILTER, RTM_DELTFILTER, RTM_GETTFILTER = 36, 37, 44, 45, 46
# netlink.h
ROUTE, NETFILTER = 0, 12
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE, NLM_F_APPEND = 0x100, 0x200, 0x400, 0x800
_NLM_F_REQUEST, _NLM_F_ACK, _NLM_F_DUMP, _NLM_F_ACK_TLVS = 1, 4, 0x300, 0x200
_NLMSG_ERROR, _NLMSG_DONE, _NLMSGERR_ATTR_MSG = 2, 3, 1
NLA_F_NESTED, _NLA_TYPE_MASK = 0x8000, 0x3FFF
_SOL_NETLINK, _NETLINK_CAP_ACK, _NETLINK_EXT_ACK = 270, 10, 11
# if_link.h
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_IFALIAS = 1, 3, 4, 20

_HEADER = _struct.Struct("=IHHII")
_ATTRIBUTE = _struct.Struct("=HH")


class Request(Record):
    """One message, what it does in words, and the error numbers that only say "nothing to do"."""

    kind: int
    body: bytes
    doing: str
    flags: int = 0
    tolerated: tuple[int, ...] = ()


def attribute(kind: int, value: bytes) -> bytes:
    """One attribute, padded. A nested one has attributes for its value."""
    return _ATTRIBUTE.pack(4 + len(value), kind) + value + bytes(-len(value) % 4)


def attributes(data: bytes, start: int) -> dict[int, bytes]:
    """The attributes that follow a message's fixed part."""
    found = {}
    while start + 4 <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, start)
        if length < 4:
            break
        found[kind & _NLA_TYPE_MASK] = data[start + 4 : start + length]
        start += length + 3 & ~3
    return found


class Socket:
    """A conversation with the network namespace in which it was opened."""

    def __init__(self, protocol: int = ROUTE) -> None:
        kind = _socket.SOCK_RAW | _socket.SOCK_CLOEXEC
        try:
            self._socket = _socket.socket(_socket.AF_NETLINK, kind, protocol)
            # Acknowledgements come without our request, but with the kernel's own words.
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_EXT_ACK, 1)
        except OSError as error:
            raise HostError("open a netlink socket", error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def dump(self, kind: int, body: bytes = bytes(16)) -> list[bytes]:
        """The bodies of the messages about every object of a kind."""
        self._socket.send(message(kind, _NLM_F_REQUEST | _NLM_F_DUMP, 0, body))
        found = []
        for answer, flags, _, body in self._answers():
            if answer in (_NLMSG_DONE, _NLMSG_ERROR):
                _require_success(flags, body, "list what is in the network namespace")
                break
            found.append(body)
        return found

    def send(
        self, requests: Sequence[Request], before: Sequence[Border] = (), after: Sequence[Border] = ()
    ) -> list[bool]:
        """Send all at once; say of each whether it was carried out (else: an error that it tolerates).

        What is before and after them is answered only if there is something wrong with it.
        """
        if not requests:
            return []
        batch = [
            message(one.kind, _NLM_F_REQUEST | _NLM_F_ACK | one.flags, number, one.body)
            for number, one in enumerate(requests)
        ]
        start, end = (
            [message(kind, _NLM_F_REQUEST, 0, body) for kind, body in border] for border in (before, after)
        )
        self._socket.send(b"".join([*start, *batch, *end]))
        # The kernel works through the whole batch, whatever fails in it, and acknowledges in order.
        answers = self._answers()
        return [_carried_out(one, *next(answers)) for one in requests]

    def _answers(self) -> Iterator[tuple[int, int, int, bytes]]:
        """Kind, flags, number and body of each message that comes."""
        while True:
            data = self._socket.recv(1 << 16)
            start = 0
            while start < len(data):
                length, kind, flags, number, _ = _HEADER.unpack_from(data, start)
                yield kind, flags, number, data[start + _HEADER.size : start + length]
                start += length + 3 & ~3


def message(kind: int, flags: int, number: int, body: bytes) -> bytes:
    """A whole message, with its header."""
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, number, 0) + body


def _carried_out(request: Request, _kind: int, flags: int, _number: int, body: bytes) -> bool:
    try:
        _require_success(flags, body, request.doing)
    except HostError as error:
        if error.errno in request.tolerated:
            return False
        raise
    return True


def _require_success(flags: int, body: bytes, doing: str) -> None:
    (code,) = _struct.unpack_from("=i", body)
    if code == 0:
        return
    reason = posix.strerror(-code)
    said = attributes(body, 4 + _HEADER.size) if flags & _NLM_F_ACK_TLVS else {}
    if words := said.get(_NLMSGERR_ATTR_MSG):
        reason += f" ({words[:-1].decode()})"
    raise HostError(doing, OSError(-code, reason))
