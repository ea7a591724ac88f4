# SPDX-License-Identifier: Apache-2.0
"""Which interfaces of the container the guest takes over, with what, and what is said of the others."""

from __future__ import annotations

import pytest

from urunc.interfaces import (
    DEFAULT,
    DEFAULT6,
    ETHERNET,
    Interface,
    Limits,
    Link,
    LinkAddress,
    LinkRoute,
    choose,
    notices,
    notices_of_link,
    within,
)
from urunc.machine import Address, Route

LOOPBACK, TUNNEL = 772, 768
LO = Link(1, "lo", LOOPBACK, "00:00:00:00:00:00", 65536)
ETH0 = Link(2, "eth0", ETHERNET, "02:00:00:00:00:02", 1500)
ETH1 = Link(3, "eth1", ETHERNET, "02:00:00:00:00:03", 1400)
TUNL = Link(4, "tunl0", TUNNEL, "", 1480)
GRETAP = Link(5, "gretap0", ETHERNET, "00:00:00:00:00:00", 1462)
HERE = LinkAddress(1, "127.0.0.1", 8)
OF_ETH0, OF_ETH1 = LinkAddress(2, "10.0.0.2", 24), LinkAddress(3, "10.1.0.2", 16)
BY_IPV6 = LinkAddress(2, "fd00::2", 64)
LINKS, ADDRESSES = [LO, ETH0, ETH1, TUNL], [HERE, OF_ETH0, OF_ETH1]


def default(index: int, gateway: str, metric: int = 0) -> LinkRoute:
    return LinkRoute(index, DEFAULT6 if ":" in gateway else DEFAULT, gateway, metric)


def found(routes: list[LinkRoute], addresses: list[LinkAddress] = ADDRESSES) -> list[tuple[str, str]]:
    return [(one.name, one.gateway) for one in choose(LINKS, addresses, routes)]


def test_the_interface_of_the_default_route_comes_first_and_all_is_handed_over() -> None:
    assert choose(LINKS, ADDRESSES, [default(3, "10.1.0.1")]) == (
        Interface(3, "eth1", "02:00:00:00:00:03", 1400, "10.1.0.2", 16, "10.1.0.1"),
        Interface(2, "eth0", "02:00:00:00:00:02", 1500, "10.0.0.2", 24, ""),
    )


ORDERS = {
    "the lower metric": (
        [default(2, "10.0.0.1", 100), default(3, "10.1.0.1", 50)], [("eth1", "10.1.0.1"), ("eth0", "")],
    ),
    "no default route": ([], [("eth0", ""), ("eth1", "")]),
    "a default route without a gateway": ([default(3, "")], [("eth1", ""), ("eth0", "")]),
    "IPv4 before IPv6": (
        [default(2, "fe80::1"), default(3, "10.1.0.1", 9)], [("eth1", "10.1.0.1"), ("eth0", "")],
    ),
    "IPv6 alone": ([default(3, "fe80::1", 1024)], [("eth1", ""), ("eth0", "")]),
    "a route of the loopback": ([default(1, "127.0.0.9")], [("eth0", ""), ("eth1", "")]),
}  # fmt: skip


@pytest.mark.parametrize(("routes", "order"), ORDERS.values(), ids=ORDERS)
def test_the_best_default_route_decides_the_order(
    routes: list[LinkRoute], order: list[tuple[str, str]]
) -> None:
    assert found(routes) == order


def test_an_interface_without_an_address_is_not_taken_for_its_route() -> None:
    assert found([default(3, "10.1.0.1")], [OF_ETH0]) == [("eth0", "")]


def test_the_loopback_and_tunnels_are_never_taken() -> None:
    assert choose([LO, TUNL], [HERE, LinkAddress(4, "10.2.0.2", 32)], [default(4, "")]) == ()


def test_the_first_address_of_ipv4_is_the_primary_one_and_the_rest_comes_along() -> None:
    addresses = [LinkAddress(2, "fd00::2", 64), OF_ETH0, LinkAddress(2, "10.0.0.3", 24)]
    (one,) = choose([ETH0], addresses, [])
    assert (one.address, one.more) == ("10.0.0.2", (Address("fd00::2", 64), Address("10.0.0.3", 24)))


def test_an_interface_with_ipv6_alone_has_no_primary_address() -> None:
    (one,) = choose([ETH0], [LinkAddress(2, "fd00::2", 64)], [default(2, "fe80::1", 1024)])
    assert (one.address, one.prefix, one.gateway) == ("", 0, "")
    assert (one.more, one.routes) == ((Address("fd00::2", 64),), (Route("default", "fe80::1", 1024),))


ROUTES = {
    "to a network": (LinkRoute(2, "10.8.0.0/16", "10.0.0.9", 5), (Route("10.8.0.0/16", "10.0.0.9", 5),)),
    "to a neighbour": (LinkRoute(2, "169.254.1.1/32"), (Route("169.254.1.1/32"),)),
    "made by the kernel": (LinkRoute(2, "10.0.0.0/24", automatic=True), ()),
    "of another interface": (LinkRoute(3, "10.9.0.0/16"), ()),
    "a second default route": (default(2, "10.0.0.9", 7), (Route("default", "10.0.0.9", 7),)),
    "everything is near": (default(2, "", 7), (Route(DEFAULT, "", 7),)),
    "IPv6": (default(2, "fe80::1"), (Route("default", "fe80::1"),)),
}


@pytest.mark.parametrize(("route", "routes"), ROUTES.values(), ids=ROUTES)
def test_routes_that_the_guest_cannot_know_are_handed_over(
    route: LinkRoute, routes: tuple[Route, ...]
) -> None:
    (one,) = choose([ETH0], [OF_ETH0], [default(2, "10.0.0.1"), route])
    assert (one.gateway, one.routes) == ("10.0.0.1", routes)


def test_the_route_to_a_peer_is_handed_over() -> None:
    address = LinkAddress(2, "10.0.0.2", 32, peer=True)
    (one,) = choose([ETH0], [address], [LinkRoute(2, "10.0.0.1/32", automatic=True)])
    assert one.routes == (Route("10.0.0.1/32"),)


ONE, MANY = Limits("mirage", 1, "hvt", 1500), Limits("linux", 8, "qemu", 65521, ipv6=True)
NOTICES = {
    "nothing": (LINKS, ADDRESSES, MANY, []),
    "one interface is enough": ([LO, ETH0], ADDRESSES, ONE, []),
    "more interfaces than networks": (
        LINKS, ADDRESSES, ONE, ["a mirage unikernel takes 1 of the networks: it does not get eth1"],
    ),
    "one has no address": (LINKS, [OF_ETH1], MANY, ["no address on eth0: the guest does not get it"]),
    "none has an address": (
        LINKS, [HERE], MANY, ["no address on eth0, eth1: the guest has no network"],
    ),
    "a loopback alone": ([LO], [HERE], MANY, []),
    "one that the kernel makes everywhere": ([LO, ETH0, GRETAP], [OF_ETH0], MANY, []),
    "large packets": (
        [ETH0.replace(mtu=9000)], [OF_ETH0], ONE,
        ["eth0 has an MTU of 9000, but hvt carries 1500: the rest gets lost"],
    ),
    "large packets of one that is not handed over": (
        [ETH0, ETH1.replace(mtu=9000)], ADDRESSES, ONE,
        ["a mirage unikernel takes 1 of the networks: it does not get eth1"],
    ),
    "IPv6 only": ([ETH0], [BY_IPV6], MANY, []),
    "IPv6 only, for a guest without": (
        [ETH0], [BY_IPV6], ONE,
        ["eth0 has addresses of IPv6 only, which a mirage unikernel cannot be told: it has no address"],
    ),
}  # fmt: skip
NOWHERE = "the guest reaches no further than its network namespace"
NOTICES_OF_LINK = {
    "nothing": (LINKS, ADDRESSES, ONE, []),
    "a loopback alone": ([LO], [HERE], MANY, []),
    "none has an address": (LINKS, [HERE], ONE, [f"no address on eth0, eth1: {NOWHERE}"]),
    "IPv4 only": ([ETH0], [OF_ETH0], MANY, []),
    "IPv6 only": ([ETH0], [BY_IPV6], MANY, []),
    "IPv6 only, for a guest without": (
        [ETH0], [BY_IPV6], ONE,
        [f"eth0 has addresses of IPv6 only, which a mirage unikernel cannot be told: {NOWHERE}"],
    ),
    "both, for a guest without": ([ETH0], [OF_ETH0, BY_IPV6], ONE, []),
    "packets too small": (
        [ETH0.replace(mtu=1279)], [OF_ETH0, BY_IPV6], MANY,
        ["an MTU of 1279 is too small for IPv6: the guest has IPv4 only"],
    ),
    "packets just large enough": ([ETH0.replace(mtu=1280)], [OF_ETH0, BY_IPV6], MANY, []),
}  # fmt: skip


@pytest.mark.parametrize(("links", "addresses", "limits", "said"), NOTICES.values(), ids=NOTICES)
def test_what_the_guest_does_not_get_is_said(
    links: list[Link], addresses: list[LinkAddress], limits: Limits, said: list[str]
) -> None:
    assert list(notices(links, choose(links, addresses, []), limits)) == said


@pytest.mark.parametrize(
    ("links", "addresses", "limits", "said"), NOTICES_OF_LINK.values(), ids=NOTICES_OF_LINK
)
def test_what_does_not_reach_a_guest_that_shares_is_said(
    links: list[Link], addresses: list[LinkAddress], limits: Limits, said: list[str]
) -> None:
    assert list(notices_of_link(links, choose(links, addresses, []), limits)) == said


def test_an_mtu_is_no_larger_than_the_monitor_carries() -> None:
    (one,) = choose([ETH0], [OF_ETH0], [])
    assert (within(one, 1400).mtu, within(one, 9000).mtu) == (1400, 1500)
