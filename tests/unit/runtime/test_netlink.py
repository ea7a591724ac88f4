# SPDX-License-Identifier: Apache-2.0
"""Our rtnetlink messages are, byte for byte, those of pyroute2."""

from __future__ import annotations

import struct
from socket import htons
from typing import TYPE_CHECKING

import pytest
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.ndmsg import ndmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg
from pyroute2.netlink.rtnl.tcmsg import act_mirred, tcmsg

from urunc.host import netlink, rtnetlink

if TYPE_CHECKING:
    from pyroute2.netlink import nlmsg

TAP, ETH = 3, 2


def encoded(message: nlmsg, *attrs: tuple[str, object], **fields: object) -> bytes:
    message["attrs"] = list(attrs)
    for name, value in fields.items():
        message[name] = value
    message.encode()
    return bytes(message.data)


def link(*attrs: tuple[str, object], **fields: object) -> bytes:
    return encoded(ifinfmsg(), *attrs, index=TAP, **fields)[16:]


def traffic(*attrs: tuple[str, object], **fields: object) -> bytes:
    return encoded(tcmsg(), *attrs, index=ETH, **fields)[16:]


def ours(**fields: object) -> dict[str, object]:
    return {"parent": 0xFFFF0000, "info": rtnetlink.PRIORITY << 16 | htons(3), **fields}


def redirection() -> dict[str, object]:
    mirred = act_mirred.get_parameters({"direction": "egress", "action": "redirect", "ifindex": TAP})
    action = {"attrs": [("TCA_ACT_KIND", "mirred"), ("TCA_ACT_OPTIONS", mirred)]}
    return {
        "attrs": [
            ("TCA_U32_ACT", {"attrs": [("TCA_ACT_PRIO_1", action)]}),
            ("TCA_U32_SEL", {"keys": ["0x0/0x0+0"]}),
        ]
    }


NO_ADDRESS = {"attrs": [("AF_INET6", {"attrs": [("IFLA_INET6_ADDR_GEN_MODE", 1)]})]}


TABLE = {
    "nothing": (rtnetlink.link(TAP), link()),
    "up": (rtnetlink.link(TAP, up=True), link(flags=1, change=1)),
    "mtu": (rtnetlink.link(TAP, rtnetlink.mtu(9000)), link(("IFLA_MTU", 9000))),
    "alias": (rtnetlink.link(TAP, rtnetlink.alias("ab1234")), link(("IFLA_IFALIAS", "ab1234"))),
    "no address": (rtnetlink.link(TAP, rtnetlink.no_ipv6_address()), link(("IFLA_AF_SPEC", NO_ADDRESS))),
    "address": (
        rtnetlink.address(TAP, "10.1.2.3", 30),
        encoded(
            ifaddrmsg(),
            ("IFA_LOCAL", "10.1.2.3"),
            ("IFA_ADDRESS", "10.1.2.3"),
            index=TAP,
            family=2,
            prefixlen=30,
        )[16:],
    ),
    "neighbour": (
        rtnetlink.neighbour(TAP, "10.1.2.3", "02:00:00:00:00:09"),
        encoded(
            ndmsg(),
            ("NDA_DST", "10.1.2.3"),
            ("NDA_LLADDR", "02:00:00:00:00:09"),
            ifindex=TAP,
            family=2,
            state=0x80,
        )[16:],
    ),
    "address of IPv6": (
        rtnetlink.address(TAP, "fd00::1", 64),
        encoded(
            ifaddrmsg(),
            ("IFA_LOCAL", "fd00::1"),
            ("IFA_ADDRESS", "fd00::1"),
            index=TAP,
            family=10,
            prefixlen=64,
            flags=2,
        )[16:],
    ),
    "neighbour by IPv6": (
        rtnetlink.neighbour(TAP, "fd00::2", "02:00:00:00:00:09"),
        encoded(
            ndmsg(),
            ("NDA_DST", "fd00::2"),
            ("NDA_LLADDR", "02:00:00:00:00:09"),
            ifindex=TAP,
            family=10,
            state=0x80,
        )[16:],
    ),
    "route to this host": (
        rtnetlink.local_route(TAP, "::1"),
        encoded(
            rtmsg(),
            ("RTA_DST", "::1"),
            ("RTA_OIF", TAP),
            ("RTA_PRIORITY", 1024),
            family=10,
            dst_len=128,
            table=255,
            proto=3,
            type=2,
        )[16:],
    ),
    "passing filter": (
        rtnetlink.passing_filter(ETH, "10.1.2.3"),
        traffic(
            ("TCA_KIND", "u32"),
            ("TCA_OPTIONS", {"attrs": [("TCA_U32_SEL", {"keys": ["0x0a010203/0xffffffff+16"]})]}),
            parent=0xFFFF0000,
            info=(rtnetlink.PRIORITY - 1) << 16 | htons(0x0800),
        ),
    ),
    "qdisc": (
        rtnetlink.ingress(ETH),
        traffic(("TCA_KIND", "ingress"), handle=0xFFFF0000, parent=0xFFFFFFF1),
    ),
    "filter": (rtnetlink.our_filter(ETH), traffic(("TCA_KIND", "u32"), **ours())),
    "redirect": (
        rtnetlink.redirect(ETH, TAP),
        traffic(("TCA_KIND", "u32"), ("TCA_OPTIONS", redirection()), **ours()),
    ),
}


@pytest.mark.parametrize(("mine", "theirs"), TABLE.values(), ids=TABLE)
def test_a_message_has_the_bytes_of_pyroute2s(mine: bytes, theirs: bytes) -> None:
    assert mine.hex(" ", 4) == theirs.hex(" ", 4)


def test_a_switch_of_ipv4_is_nested_in_three_attributes() -> None:
    """pyroute2 can read them, not write them."""
    levels = [(20, 26), (16, 2), (12, 1), (8, rtnetlink.FORWARDING)]
    nested = b"".join(struct.pack("=HH", *level) for level in levels)
    assert rtnetlink.ipv4(rtnetlink.FORWARDING) == nested + struct.pack("=I", 1)


def test_the_header_has_the_bytes_of_pyroute2s() -> None:
    theirs = ifinfmsg()
    theirs["header"].update(type=netlink.RTM_NEWLINK, flags=5, sequence_number=7)
    whole = encoded(theirs, index=TAP)
    assert netlink.message(netlink.RTM_NEWLINK, 5, 7, rtnetlink.link(TAP)) == whole


def test_attributes_of_any_length_are_read_back() -> None:
    values = {1: b"", 2: b"a", 3: b"abcd", 4: b"abcde"}
    body = b"head" + b"".join(netlink.attribute(kind, value) for kind, value in values.items())
    assert netlink.attributes(body, 4) == values


def test_the_flags_of_an_attribute_are_no_part_of_its_kind() -> None:
    assert netlink.attributes(netlink.attribute(0x8002, b"nest"), 0) == {2: b"nest"}
