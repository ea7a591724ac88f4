# SPDX-License-Identifier: Apache-2.0
"""Connects the guest to the container's network: what is opened early, and what `start` then does."""

from __future__ import annotations

from errno import EBUSY

from urunc import guests, interfaces, monitors, network_mode, subnet
from urunc.errors import HostError
from urunc.host import interface, ipv6, name_servers, network, shared, tap
from urunc.host.netlink import Socket
from urunc.user_network import KEY
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from urunc.host.tap import Owner
    from urunc.interfaces import Interface, Link
    from urunc.line import Line
    from urunc.log import Log
    from urunc.machine import Network
    from urunc.resolver import Server


class Open(Record):
    """A line, and what was opened for it in the container's network namespace."""

    line: Line
    tuns: tuple[int, ...] = ()
    servers: tuple[Server, ...] = ()
    switches: int = -1
    """Those of IPv6, where the guest shares the namespace and knows IPv6."""
    failure: HostError | None = None
    """Why there are none; it matters only if there is something to connect."""

    def require_tuns(self) -> tuple[int, ...]:
        """The open descriptors."""
        if self.failure:
            raise self.failure
        return self.tuns


def open_line(line: Line) -> Open:
    """Before the pivot: nothing can be opened by its path afterwards."""
    guest, alone = guests.load(line.guest), line.mode == network_mode.OWN
    try:
        tuns = tuple(tap.open_tun() for _ in range(guest.NICS if alone else 1))
        switches = ipv6.open_switches() if line.ipv6 and not alone else -1
    except HostError as error:
        return Open(line, failure=error)
    return Open(line, tuns, name_servers.find(line.resolvers), switches)


def connect(opened: Open, owner: Owner, log: Log) -> tuple[Network, ...]:
    """In the container's network namespace: as the guest finds it, and as it is from now on."""
    with Socket() as socket:
        links = interface.links(socket)
        addresses, routes = interface.addresses(socket), interface.routes(socket)
    others = [link for link in links if not _is_ours(link)]
    found = interfaces.choose(others, addresses, routes)
    for notice in _about_names(opened, found):
        log.warning(notice)
    limits = _limits(opened.line)
    within = tuple(interfaces.within(one, limits.mtu) for one in found)
    if opened.line.mode != network_mode.OWN:
        _require_none(links, "own", network.is_tap)
        for notice in interfaces.notices_of_link(others, within, limits):
            log.warning(notice)
        return (_share(opened, links, within, owner, log),)
    _require_none(links, "shared", subnet.is_tap)
    for notice in interfaces.notices(others, found, limits):
        log.warning(notice)
    return (
        network.attach(within[: limits.nics], opened.require_tuns(), owner, opened.servers) if found else ()
    )


def _limits(line: Line) -> interfaces.Limits:
    guest, monitor = guests.load(line.guest), monitors.load(line.monitor)
    return interfaces.Limits(line.guest, guest.NICS, line.monitor, monitor.LARGEST_MTU, line.ipv6)


def _share(opened: Open, links: list[Link], found: tuple[Interface, ...], owner: Owner, log: Log) -> Network:
    line = opened.line
    if line.ports is None and any(subnet.is_tap(link.name) for link in links):
        log.info("connections to ports that nobody declares go to the guest with the lowest number")
    if line.knatives:
        log.info(f"port {line.knatives} is the guest's, where Knative's queue-proxy looks for its container")
    place = subnet.static if line.mode == network_mode.STATIC else subnet.of_slot
    rest = line.ports is None and line.mode == network_mode.SHARED
    has_ipv6 = interfaces.has_ipv6(found) and interfaces.carries_ipv6(found)
    switches = opened.switches if has_ipv6 else -1
    wish = shared.Wish(place, line.ports or (), rest, opened.servers, switches)
    return shared.attach(found, opened.require_tuns()[0], owner, wish)


def _about_names(opened: Open, found: tuple[Interface, ...]) -> list[str]:
    """Why the guest will not resolve names, if so."""
    resolvers = ", ".join(opened.line.resolvers)
    if resolvers and not opened.servers:
        return [
            f"no name server listens at {resolvers}, which resolv.conf names: the guest cannot resolve names"
        ]
    if resolvers and opened.line.mode == network_mode.OWN and not (found and found[0].gateway):
        return [f"without a default route the guest does not reach the name server at {resolvers}"]
    return []


def _require_none(links: list[Link], kind: str, is_tap: Callable[[str], bool]) -> None:
    """One guest takes all that arrives, so there is no place for another beside it."""
    for link in links:
        if is_tap(link.name) and link.carrier:
            failure = HostError(
                "connect the guest to its network namespace",
                OSError(EBUSY, f"the unikernel {link.alias} is there, whose network is {kind}"),
            )
            failure.hint = f"give both the annotation {KEY}={network_mode.SHARED}"
            raise failure


def _is_ours(link: Link) -> bool:
    return network.is_tap(link.name) or subnet.is_tap(link.name)
