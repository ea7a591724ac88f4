# SPDX-License-Identifier: Apache-2.0
"""Removes what a container has made in a network namespace that outlives it."""

from __future__ import annotations

from errno import EINVAL, ENODEV, ENOENT

from urunc import subnet
from urunc.host import interface, netlink, nftables, rtnetlink, tap
from urunc.host.netlink import NETFILTER, Request
from urunc.host.netns import open_in
from urunc.host.network import is_tap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from urunc.host.netlink import Socket
    from urunc.host.nftables import Table
    from urunc.interfaces import Interface, Link

_NOTHING_THERE = (ENOENT, EINVAL, ENODEV)


def disconnect(namespace: str, container: str) -> None:
    """Nothing there, or no namespace any more, is fine.  For a caller with one thread."""
    links, rules = open_in(namespace), open_in(namespace, NETFILTER)
    if links:
        with links:
            _disconnect(links, tap.mark(container))
    if rules:
        with rules:
            mark = tap.mark(container)
            remove_tables(rules, [table for table in nftables.tables(rules) if table.comment == mark])


def stop_redirecting(socket: Socket, links: Iterable[Link | Interface]) -> None:
    """Give these links back; only where a filter of ours was there does the qdisc go too."""
    links = list(links)
    filters = [
        Request(
            netlink.RTM_DELTFILTER, rtnetlink.our_filter(link.index),
            f"stop redirecting {link.name}", tolerated=_NOTHING_THERE,
        )
        for link in links
    ]  # fmt: skip
    redirected = [link for link, done in zip(links, socket.send(filters), strict=True) if done]
    socket.send([
        Request(
            netlink.RTM_DELQDISC, rtnetlink.ingress(link.index),
            f"remove the ingress qdisc of {link.name}", tolerated=_NOTHING_THERE,
        )
        for link in redirected
    ])  # fmt: skip


def is_redirected(socket: Socket, link: Link) -> bool:
    """Whether a filter of ours is there, also one whose tap is gone."""
    return any(map(rtnetlink.is_ours, socket.dump(netlink.RTM_GETTFILTER, rtnetlink.filters(link.index))))


def remove_taps(socket: Socket, taps: Iterable[Link]) -> None:
    """Also those that nobody uses any more."""
    socket.send([
        Request(netlink.RTM_DELLINK, rtnetlink.link(one.index), f"remove {one.name}", tolerated=(ENODEV,))
        for one in taps
    ])  # fmt: skip


def remove_tables(socket: Socket, tables: Iterable[Table]) -> None:
    """With all their rules."""
    nftables.commit(socket, [nftables.removal(table) for table in tables])


def _disconnect(socket: Socket, mark: str) -> None:
    found = interface.links(socket)
    # If another container has been started in this namespace, taps and redirections are that one's.
    if all(link.alias == mark for link in found if is_tap(link.name)):
        stop_redirecting(socket, found)
    ours = [link for link in found if is_tap(link.name) or subnet.is_tap(link.name)]
    remove_taps(socket, [link for link in ours if link.alias == mark])
