# SPDX-License-Identifier: Apache-2.0
"""Which interfaces of the container the guest takes over, and all that comes with them.  Pure."""

from __future__ import annotations

from urunc.machine import Address, Route
from urunc_common.record import Record
from urunc_common.rules import a_unikernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

ETHERNET = 1  # if_arp.h
_LEAST_MTU = 1280  # RFC 8200
DEFAULT, DEFAULT6 = "0.0.0.0/0", "::/0"
# Devices that the kernel puts into every new namespace have it.
_NO_MAC = "00:00:00:00:00:00"


class Link(Record):
    """A network interface."""

    index: int
    name: str
    kind: int
    mac: str
    mtu: int
    alias: str = ""
    carrier: bool = False


class LinkAddress(Record):
    """An address of a link; with a peer, the kernel's own route is to that one."""

    index: int
    address: str
    prefix: int
    peer: bool = False


class LinkRoute(Record):
    """A route out of a link; no gateway: an empty string."""

    index: int
    destination: str
    gateway: str = ""
    metric: int = 0
    automatic: bool = False
    """The kernel has made it for an address, as it will in the guest."""


class Interface(Record):
    """An interface that the guest takes over; the fields are those of `Network`."""

    index: int
    name: str
    mac: str
    mtu: int
    address: str
    prefix: int
    gateway: str
    more: tuple[Address, ...] = ()
    routes: tuple[Route, ...] = ()


class Limits(Record):
    """What guest and monitor can do with networks."""

    guest: str
    nics: int
    monitor: str
    mtu: int
    ipv6: bool = False
    """The guest can be told addresses of IPv6."""


def choose(
    links: Iterable[Link], addresses: Sequence[LinkAddress], routes: Sequence[LinkRoute]
) -> tuple[Interface, ...]:
    """All that have an address; the one with the best default route comes first.

    Only Ethernet can be handed to a guest, which leaves out the loopback and tunnels.
    """
    addressed = {address.index for address in addresses}
    usable = {link.index: link for link in links if link.kind == ETHERNET and link.index in addressed}
    best = _best([route for route in routes if route.index in usable])
    first = [usable.pop(best.index)] if best else []
    return tuple(_interface(link, addresses, routes, best) for link in (*first, *usable.values()))


def notices(links: Iterable[Link], found: Sequence[Interface], limits: Limits) -> tuple[str, ...]:
    """What of the container's network the guest does not get, in sentences."""
    said = []
    if bare := _without_address(links, found):
        rest = "the guest does not get it" if found else "the guest has no network"
        said.append(f"no address on {', '.join(bare)}: {rest}")
    if len(found) > limits.nics:
        names = ", ".join(one.name for one in found[limits.nics :])
        some = f"{a_unikernel(limits.guest)} takes {limits.nics} of the networks"
        said.append(f"{some}: it does not get {names}")
    said += [
        f"{one.name} has an MTU of {one.mtu}, but {limits.monitor} carries {limits.mtu}: the rest gets lost"
        for one in found[: limits.nics]
        if one.mtu > limits.mtu
    ]
    said += [
        f"{_only_ipv6(one, limits)}: it has no address"
        for one in found[: limits.nics]
        if _is_out(one, limits)
    ]
    return tuple(said)


def notices_of_link(links: Iterable[Link], found: Sequence[Interface], limits: Limits) -> tuple[str, ...]:
    """What of the namespace's network does not reach a guest that shares it, in sentences."""
    nowhere = "the guest reaches no further than its network namespace"
    if not found:
        bare = _without_address(links, found)
        return (f"no address on {', '.join(bare)}: {nowhere}",) if bare else ()
    if all(_is_out(one, limits) for one in found):
        return (f"{_only_ipv6(found[0], limits)}: {nowhere}",)
    if limits.ipv6 and has_ipv6(found) and not carries_ipv6(found):
        return (f"an MTU of {found[0].mtu} is too small for IPv6: the guest has IPv4 only",)
    return ()


def within(interface: Interface, largest_mtu: int) -> Interface:
    """The interface with an MTU that the monitor can carry."""
    return interface.replace(mtu=min(interface.mtu, largest_mtu))


def has_ipv6(found: Iterable[Interface]) -> bool:
    """Whether one of them has an address of IPv6 that reaches beyond its link."""
    return any(":" in address.address for one in found for address in one.more)


def carries_ipv6(found: Sequence[Interface]) -> bool:
    """Whether the first, whose packets are the measure, has room for the smallest that IPv6 asks for."""
    return found[0].mtu >= _LEAST_MTU


def _is_out(one: Interface, limits: Limits) -> bool:
    return not one.address and not limits.ipv6


def _only_ipv6(one: Interface, limits: Limits) -> str:
    return f"{one.name} has addresses of IPv6 only, which {a_unikernel(limits.guest)} cannot be told"


def _without_address(links: Iterable[Link], found: Iterable[Interface]) -> list[str]:
    indexes = {interface.index for interface in found}
    ethernet = (link for link in links if link.kind == ETHERNET and link.mac != _NO_MAC)
    return [link.name for link in ethernet if link.index not in indexes]


def _best(routes: Iterable[LinkRoute]) -> LinkRoute | None:
    """The default route of IPv4, else that of IPv6; of several the one that the kernel takes."""
    found = [route for route in routes if route.destination in (DEFAULT, DEFAULT6)]
    return min(found, key=lambda route: (route.destination != DEFAULT, route.metric), default=None)


def _interface(
    link: Link, addresses: Iterable[LinkAddress], routes: Iterable[LinkRoute], best: LinkRoute | None
) -> Interface:
    own = [address for address in addresses if address.index == link.index]
    # The kernel lists primary addresses first.
    primary = next((address for address in own if "." in address.address), None)
    via_gateway = best if best and best.index == link.index and "." in best.gateway else None
    peers = any(address.peer for address in own)
    return Interface(
        link.index,
        link.name,
        link.mac,
        link.mtu,
        primary.address if primary else "",
        primary.prefix if primary else 0,
        via_gateway.gateway if via_gateway else "",
        tuple(Address(other.address, other.prefix) for other in own if other is not primary),
        tuple(
            _route(route)
            for route in routes
            if route.index == link.index and route is not via_gateway and (peers or not route.automatic)
        ),
    )


def _route(route: LinkRoute) -> Route:
    default = route.destination in (DEFAULT, DEFAULT6) and route.gateway
    return Route("default" if default else route.destination, route.gateway, route.metric)
