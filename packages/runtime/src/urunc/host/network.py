# SPDX-License-Identifier: Apache-2.0
"""The guest in the place of the container: taps that take all traffic of its interfaces, and send theirs.

All runs in the container's network namespace, after the pivot.
"""

from __future__ import annotations

import _socket
from errno import EAFNOSUPPORT, EBUSY, EINVAL, ENODEV, ENOENT

from urunc.errors import HostError
from urunc.host import name_service, netlink, nftables, rtnetlink, tap
from urunc.host.netlink import Request, Socket
from urunc.machine import Network

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from urunc.host.tap import Owner
    from urunc.interfaces import Interface
    from urunc.resolver import Server

_PREFIX, _SUFFIX = "tap", "_urunc"
_NOTHING_THERE = (ENOENT, EINVAL, ENODEV)


def tap_name(number: int) -> str:
    """tap0_urunc, and so on."""
    return f"{_PREFIX}{number}{_SUFFIX}"


def is_tap(name: str) -> bool:
    """Whether a link has such a name."""
    number = name.removeprefix(_PREFIX).removesuffix(_SUFFIX)
    return number.isdecimal() and name == tap_name(int(number))


def attach(
    interfaces: Sequence[Interface], tuns: Sequence[int], owner: Owner, servers: Sequence[Server] = ()
) -> tuple[Network, ...]:
    """Make a tap for each interface and join the two, so that the guest can be what the container was.

    An earlier tap that nobody uses is taken over.  By the first one the guest also reaches name servers on
    the namespace's loopback.
    """
    numbered = enumerate(zip(interfaces, tuns, strict=False))
    pairs = [(found, tun, tap_name(number)) for number, (found, tun) in numbered]
    for found, tun, name in pairs:
        _make(tun, name, owner, found.name)
    with Socket() as socket:
        socket.send([request for found, _, name in pairs for request in _join(found, name, owner)])
    if servers:
        _serve_names(*pairs[0], owner, servers)
    for _, tun, name in pairs:
        tap.give(tun, name, owner)
    return tuple(_network(found, name, -1 if owner.persistent else tun) for found, tun, name in pairs)


def _serve_names(found: Interface, _tun: int, name: str, owner: Owner, servers: Sequence[Server]) -> None:
    with Socket() as socket:
        socket.send(name_service.link(name, found))
    nftables.make(name, name_service.rules(name, owner.mark, found, servers))


def _make(tun: int, name: str, owner: Owner, interface: str) -> None:
    try:
        tap.make(tun, name, owner)
    except OSError as error:
        failure = HostError(f"make {name} for {interface}", error)
        if error.errno == EBUSY:
            failure.hint = (
                "another unikernel has this network namespace for itself; "
                "with the annotation run.urunc.network=shared for both, they share it"
            )
        raise failure from error


def _network(found: Interface, name: str, descriptor: int) -> Network:
    return Network(
        name, found.mac, found.address, found.prefix, found.gateway, found.mtu,
        fd=descriptor, name=found.name, more=found.more, routes=found.routes,
    )  # fmt: skip


def _join(found: Interface, name: str, owner: Owner) -> list[Request]:
    index = _socket.if_nametoindex(name)
    changes = (rtnetlink.mtu(found.mtu), rtnetlink.alias(owner.mark))
    plain = rtnetlink.link(index, rtnetlink.no_ipv6_address())
    return [
        # Before it comes up; a kernel without IPv6 has nothing to prevent.
        Request(netlink.RTM_NEWLINK, plain, f"keep {name} without an address", tolerated=(EAFNOSUPPORT,)),
        Request(netlink.RTM_NEWLINK, rtnetlink.link(index, *changes, up=True), f"set up {name}"),
        Request(netlink.RTM_NEWLINK, rtnetlink.link(found.index, up=True), f"set up {found.name}"),
        *_redirect(index, name, found.index, found.name),
        *_redirect(found.index, found.name, index, name),
    ]


def _redirect(index: int, name: str, target: int, target_name: str) -> list[Request]:
    """Replaces what a container that was killed has left: a filter that points at no device."""
    replace = netlink.NLM_F_CREATE | netlink.NLM_F_REPLACE
    create = netlink.NLM_F_CREATE | netlink.NLM_F_EXCL
    doing = f"redirect {name} to {target_name}"
    return [
        Request(netlink.RTM_NEWQDISC, rtnetlink.ingress(index), f"{doing}: add the ingress qdisc", replace),
        Request(netlink.RTM_DELTFILTER, rtnetlink.our_filter(index), doing, tolerated=_NOTHING_THERE),
        Request(netlink.RTM_NEWTFILTER, rtnetlink.redirect(index, target), doing, create),
    ]
