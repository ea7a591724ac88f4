# SPDX-License-Identifier: Apache-2.0
"""Which interface of the container the guest takes over."""

from __future__ import annotations

from urunc.host.interface import ETHERNET, Address, Interface, Link, Route, choose

LOOPBACK, TUNNEL = 772, 768
LO = Link(1, "lo", LOOPBACK, "00:00:00:00:00:00", 65536)
ETH0 = Link(2, "eth0", ETHERNET, "02:00:00:00:00:02", 1500)
ETH1 = Link(3, "eth1", ETHERNET, "02:00:00:00:00:03", 1400)
TUNL = Link(4, "tunl0", TUNNEL, "", 1480)
HERE, OF_ETH0, OF_ETH1 = Address(1, "127.0.0.1", 8), Address(2, "10.0.0.2", 24), Address(3, "10.1.0.2", 16)


def name(found: Interface | None) -> str | None:
    return found.name if found else None


def test_the_default_route_decides() -> None:
    found = choose([LO, ETH0, ETH1], [HERE, OF_ETH0, OF_ETH1], [Route(3, "10.1.0.1")])
    assert found == Interface(3, "eth1", "02:00:00:00:00:03", 1400, "10.1.0.2", 16, "10.1.0.1")


def test_of_two_default_routes_the_one_with_the_lower_metric_decides() -> None:
    routes = [Route(2, "10.0.0.1", 100), Route(3, "10.1.0.1", 50)]
    assert name(choose([LO, ETH0, ETH1], [OF_ETH0, OF_ETH1], routes)) == "eth1"


def test_without_a_default_route_the_first_interface_with_an_address_is_taken() -> None:
    found = choose([LO, ETH0, ETH1], [HERE, OF_ETH1], [])
    assert (name(found), found and found.gateway) == ("eth1", "")


def test_a_default_route_without_a_gateway_gives_none() -> None:
    found = choose([ETH0, ETH1], [OF_ETH0, OF_ETH1], [Route(3, "")])
    assert (name(found), found and found.gateway) == ("eth1", "")


def test_the_first_of_several_addresses_is_the_guests() -> None:
    found = choose([ETH0], [OF_ETH0, Address(2, "10.0.0.3", 24)], [])
    assert (name(found), found and found.address) == ("eth0", "10.0.0.2")


def test_the_loopback_and_tunnels_are_never_taken() -> None:
    assert choose([LO, TUNL], [HERE, Address(4, "10.2.0.2", 32)], [Route(4, "")]) is None


def test_an_interface_without_an_address_is_not_taken_for_its_route() -> None:
    assert name(choose([ETH0, ETH1], [OF_ETH0], [Route(3, "10.1.0.1")])) == "eth0"


def test_an_empty_namespace_has_no_interface() -> None:
    assert choose([LO], [], []) is None
