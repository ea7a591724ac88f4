# SPDX-License-Identifier: Apache-2.0
"""The private networks of guests: each its own."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_address, ip_interface

import pytest

from urunc import subnet
from urunc.subnet import NAMESERVER, SLOTS, Ends, Subnet, of_slot


def network(ends: Ends) -> IPv4Network | IPv6Network:
    return ip_interface(f"{ends.guest}/{ends.prefix}").network


def test_a_slot_has_a_tap_and_both_ends_of_a_link() -> None:
    ipv4 = Ends("169.254.64.5", "169.254.64.6", 30)
    ipv6 = Ends("fd75:7275:6e63:1::1", "fd75:7275:6e63:1::2", 64)
    assert of_slot(1) == Subnet("urunc1", "02:75:a9:fe:40:06", ipv4, ipv6)


def test_no_two_slots_have_anything_in_common() -> None:
    all_of_them = [of_slot(slot) for slot in SLOTS]
    assert len({one.tap for one in all_of_them}) == len(SLOTS)
    assert len({one.mac for one in all_of_them}) == len(SLOTS)
    for version in ("ipv4", "ipv6"):
        assert len({network(getattr(one, version)) for one in all_of_them}) == len(SLOTS)


@pytest.mark.parametrize("place", [of_slot(1), of_slot(64), of_slot(SLOTS[-1]), subnet.static(1)])
def test_the_router_is_the_guests_neighbour(place: Subnet) -> None:
    for ends in (place.ipv4, place.ipv6):
        around = network(ends)
        others = (around.network_address, around.broadcast_address)
        assert ip_address(ends.router) in around
        assert ip_address(ends.guest) in around
        assert not {ip_address(ends.router), ip_address(ends.guest)} & set(others)
        assert ip_address(NAMESERVER) not in around
        assert around.is_private
    assert len(place.tap) < 16, "a link's name is no longer"


@pytest.mark.parametrize(
    ("name", "ours"), [("urunc1", True), ("urunc", False), ("urunc1x", False), ("tap0_urunc", False)]
)
def test_our_taps_are_known_by_their_names(name: str, *, ours: bool) -> None:
    assert subnet.is_tap(name) == ours
