# SPDX-License-Identifier: Apache-2.0
"""Our rtnetlink messages are, byte for byte, those of pyroute2."""

from __future__ import annotations

from socket import htons
from typing import TYPE_CHECKING

import pytest
from pyroute2.netlink.rtnl.ifinfmsg import ifinfmsg
from pyroute2.netlink.rtnl.tcmsg import act_mirred, tcmsg

from urunc.host import netlink

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
    return {"parent": 0xFFFF0000, "info": netlink.PRIORITY << 16 | htons(3), **fields}


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
    "nothing": (netlink.link(TAP), link()),
    "up": (netlink.link(TAP, up=True), link(flags=1, change=1)),
    "mtu": (netlink.link(TAP, netlink.mtu(9000)), link(("IFLA_MTU", 9000))),
    "alias": (netlink.link(TAP, netlink.alias("ab1234")), link(("IFLA_IFALIAS", "ab1234"))),
    "no address": (netlink.link(TAP, netlink.no_ipv6_address()), link(("IFLA_AF_SPEC", NO_ADDRESS))),
    "qdisc": (
        netlink.ingress(ETH),
        traffic(("TCA_KIND", "ingress"), handle=0xFFFF0000, parent=0xFFFFFFF1),
    ),
    "filter": (netlink.our_filter(ETH), traffic(("TCA_KIND", "u32"), **ours())),
    "redirect": (
        netlink.redirect(ETH, TAP),
        traffic(("TCA_KIND", "u32"), ("TCA_OPTIONS", redirection()), **ours()),
    ),
}


@pytest.mark.parametrize(("mine", "theirs"), TABLE.values(), ids=TABLE)
def test_a_message_has_the_bytes_of_pyroute2s(mine: bytes, theirs: bytes) -> None:
    assert mine.hex(" ", 4) == theirs.hex(" ", 4)


def test_the_header_has_the_bytes_of_pyroute2s() -> None:
    theirs = ifinfmsg()
    theirs["header"].update(type=netlink.RTM_NEWLINK, flags=5, sequence_number=7)
    whole = encoded(theirs, index=TAP)
    assert netlink.message(netlink.RTM_NEWLINK, 5, 7, netlink.link(TAP)) == whole


def test_attributes_of_any_length_are_read_back() -> None:
    values = {1: b"", 2: b"a", 3: b"abcd", 4: b"abcde"}
    body = b"head" + b"".join(netlink.attribute(kind, value) for kind, value in values.items())
    assert netlink.attributes(body, 4) == values


def test_the_flags_of_an_attribute_are_no_part_of_its_kind() -> None:
    assert netlink.attributes(netlink.attribute(0x8002, b"nest"), 0) == {2: b"nest"}
