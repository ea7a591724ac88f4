# SPDX-License-Identifier: Apache-2.0
"""The private networks of guests: each its own."""

from __future__ import annotations

from ipaddress import ip_address, ip_interface

import pytest

from urunc import subnet
from urunc.subnet import NAMESERVER, SLOTS, Subnet, of_slot


def test_a_slot_has_a_tap_and_both_ends_of_a_link() -> None:
    assert of_slot(1) == Subnet("urunc1", "169.254.64.5", "169.254.64.6", 30, "02:75:a9:fe:40:06")


def test_no_two_slots_have_anything_in_common() -> None:
    all_of_them = [of_slot(slot) for slot in SLOTS]
    assert len({one.tap for one in all_of_them}) == len(SLOTS)
    assert len({one.mac for one in all_of_them}) == len(SLOTS)
    assert len({ip_interface(f"{one.guest}/{one.prefix}").network for one in all_of_them}) == len(SLOTS)


@pytest.mark.parametrize("place", [of_slot(1), of_slot(64), of_slot(SLOTS[-1]), subnet.static(1)])
def test_the_router_is_the_guests_neighbour(place: Subnet) -> None:
    network = ip_interface(f"{place.guest}/{place.prefix}").network
    assert ip_address(place.router) in list(network.hosts())
    assert ip_address(place.guest) in list(network.hosts())
    assert ip_address(NAMESERVER) not in network
    assert network.is_private
    assert len(place.tap) < 16, "a link's name is no longer"


@pytest.mark.parametrize(
    ("name", "ours"), [("urunc1", True), ("urunc", False), ("urunc1x", False), ("tap0_urunc", False)]
)
def test_our_taps_are_known_by_their_names(name: str, *, ours: bool) -> None:
    assert subnet.is_tap(name) == ours
