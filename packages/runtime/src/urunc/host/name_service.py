# SPDX-License-Identifier: Apache-2.0
"""The way of a guest that has the namespace for itself to the name servers on the namespace's loopback.

All else that the guest sends passes the namespace by.  What it asks of one address is held back at its tap,
where it also gets another sender: the guest's own address is the namespace's, too, which would keep the
answer.  On the way back the address is put right.
"""

from __future__ import annotations

import _socket

from urunc.host import expressions, forwarding, netlink, nftables, rtnetlink
from urunc.host.netlink import NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE, Request
from urunc.host.nftables import INGRESS, IP, NETDEV, POSTROUTING, PREROUTING, Chain
from urunc.subnet import NAMESERVER, NAMESERVER_PREFIX, STAND_IN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from urunc.interfaces import Interface
    from urunc.resolver import Server

_DNAT, _LAST = -100, 300


def link(tap: str, found: Interface) -> list[Request]:
    """The tap as the way there and back."""
    index = _socket.if_nametoindex(tap)
    doing = f"lead {tap} to the name servers on the loopback"
    make = NLM_F_CREATE | NLM_F_REPLACE
    address = rtnetlink.address(index, NAMESERVER, NAMESERVER_PREFIX)
    neighbour = rtnetlink.neighbour(index, found.address, found.mac)
    ahead = rtnetlink.passing_filter(index, NAMESERVER)
    return [
        Request(netlink.RTM_NEWLINK, rtnetlink.link(index, rtnetlink.ipv4(rtnetlink.ROUTE_LOCALNET)), doing),
        Request(netlink.RTM_NEWADDR, address, doing, make),
        Request(netlink.RTM_NEWNEIGH, neighbour, doing, make),
        Request(netlink.RTM_NEWTFILTER, ahead, doing, NLM_F_CREATE | NLM_F_EXCL),
    ]


def rules(tap: str, mark: str, found: Interface, servers: Sequence[Server]) -> list[Request]:
    """Two tables called like the tap."""
    to_us = (*expressions.is_ip(), *expressions.goes_to(NAMESERVER))
    held_back = (*to_us, *expressions.set_sender(STAND_IN), *expressions.set_for_this_host())
    put_right = (
        *expressions.leaves_by(tap),
        *expressions.goes_to(STAND_IN),
        *expressions.set_receiver(found.address),
    )
    to_servers = forwarding.to_servers(tap, servers)
    return [
        *nftables.replacement(
            NETDEV, tap, mark, (Chain("questions", "filter", INGRESS, 0, (held_back,), device=tap),)
        ),
        *nftables.replacement(
            IP,
            tap,
            mark,
            (
                Chain("servers", "nat", PREROUTING, _DNAT, to_servers),
                Chain("answers", "filter", POSTROUTING, _LAST, (put_right,)),
            ),
        ),
    ]
