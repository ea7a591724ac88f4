# SPDX-License-Identifier: Apache-2.0
"""The few rtnetlink messages that attaching a guest needs, and a socket that sends them in one batch.

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

# rtnetlink.h
RTM_NEWLINK, RTM_DELLINK, RTM_GETLINK, RTM_GETADDR, RTM_GETROUTE = 16, 17, 18, 22, 26
RTM_NEWQDISC, RTM_DELQDISC, RTM_NEWTFILTER, RTM_DELTFILTER = 36, 37, 44, 45
_TCA_KIND, _TCA_OPTIONS = 1, 2
# netlink.h
NLM_F_REPLACE, NLM_F_EXCL, NLM_F_CREATE = 0x100, 0x200, 0x400
_NLM_F_REQUEST, _NLM_F_ACK, _NLM_F_DUMP, _NLM_F_ACK_TLVS = 1, 4, 0x300, 0x200
_NLMSG_ERROR, _NLMSG_DONE, _NLMSGERR_ATTR_MSG = 2, 3, 1
_NLA_F_NESTED, _NLA_TYPE_MASK = 0x8000, 0x3FFF
_SOL_NETLINK, _NETLINK_CAP_ACK, _NETLINK_EXT_ACK = 270, 10, 11
# if_link.h, if.h, if_ether.h
IFLA_ADDRESS, IFLA_IFNAME, IFLA_MTU, IFLA_IFALIAS, _IFLA_AF_SPEC = 1, 3, 4, 20, 26
_IFLA_INET6_ADDR_GEN_MODE, _IN6_ADDR_GEN_MODE_NONE = 8, b"\1"
_IFF_UP, _ETH_P_ALL = 1, 3
# pkt_sched.h, pkt_cls.h, tc_mirred.h
_INGRESS_PARENT, _INGRESS_HANDLE = 0xFFFFFFF1, 0xFFFF0000
_TCA_U32_SEL, _TCA_U32_ACT, _TC_U32_TERMINAL = 5, 7, 1
_TCA_ACT_KIND, _TCA_ACT_OPTIONS, _TCA_MIRRED_PARMS, _TC_ACT_STOLEN, _TCA_EGRESS_REDIR = 1, 2, 2, 4, 1
# The priority of our filters. It is nobody else's, so a filter that has it is ours to remove.
PRIORITY = 0x7572

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


def ingress(index: int) -> bytes:
    """The queueing discipline whose filters see every packet that arrives on a link."""
    return _traffic(index, _INGRESS_HANDLE, _INGRESS_PARENT, 0) + attribute(_TCA_KIND, b"ingress\0")


def our_filter(index: int) -> bytes:
    """Whatever filter of ours is on a link."""
    info = PRIORITY << 16 | _socket.htons(_ETH_P_ALL)
    return _traffic(index, 0, _INGRESS_HANDLE, info) + attribute(_TCA_KIND, b"u32\0")


def redirect(index: int, target: int) -> bytes:
    """The filter that sends all that arrives on one link out by another."""
    # struct tc_u32_sel with one struct tc_u32_key; its mask is zero, so everything matches.
    selector = _struct.pack("=BBBxHHhhI", _TC_U32_TERMINAL, 0, 1, 0, 0, 0, 0, 0) + bytes(16)
    actions = attribute(1, _mirred(target))
    options = attribute(_TCA_U32_ACT, actions) + attribute(_TCA_U32_SEL, selector)
    return our_filter(index) + attribute(_TCA_OPTIONS, options)


def _mirred(target: int) -> bytes:
    parameters = _struct.pack("=IIiiiiI", 0, 0, _TC_ACT_STOLEN, 0, 0, _TCA_EGRESS_REDIR, target)
    options = attribute(_TCA_ACT_OPTIONS | _NLA_F_NESTED, attribute(_TCA_MIRRED_PARMS, parameters))
    return attribute(_TCA_ACT_KIND, b"mirred\0") + options


def _traffic(index: int, handle: int, parent: int, info: int) -> bytes:
    return _struct.pack("=BxxxiIII", 0, index, handle, parent, info)


class Socket:
    """A conversation with the network namespace in which it was opened."""

    def __init__(self) -> None:
        try:
            self._socket = _socket.socket(_socket.AF_NETLINK, _socket.SOCK_RAW | _socket.SOCK_CLOEXEC, 0)
            # Acknowledgements come without our request, but with the kernel's own words.
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)
            self._socket.setsockopt(_SOL_NETLINK, _NETLINK_EXT_ACK, 1)
        except OSError as error:
            raise HostError("open a netlink socket", error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def dump(self, kind: int, family: int = 0) -> list[bytes]:
        """The bodies of the messages about every object of a kind."""
        self._socket.send(message(kind, _NLM_F_REQUEST | _NLM_F_DUMP, 0, bytes((family, *bytes(15)))))
        found = []
        for answer, flags, _, body in self._answers():
            if answer in (_NLMSG_DONE, _NLMSG_ERROR):
                _require_success(flags, body, "list what is in the network namespace")
                break
            found.append(body)
        return found

    def send(self, requests: Sequence[Request]) -> list[bool]:
        """Send all at once; say of each whether it was carried out (else: an error that it tolerates)."""
        if not requests:
            return []
        batch = [
            message(one.kind, _NLM_F_REQUEST | _NLM_F_ACK | one.flags, number, one.body)
            for number, one in enumerate(requests)
        ]
        self._socket.send(b"".join(batch))
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
