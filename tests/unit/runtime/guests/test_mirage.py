# SPDX-License-Identifier: Apache-2.0
"""MirageOS: its options for the address, its device names."""

from __future__ import annotations

import pytest

from urunc.errors import Unsupported
from urunc.guests.mirage import describe
from urunc.machine import DEBUG_EXIT, App, Block, Disk, Facts, Network, Nic

NETWORK = Network("tap0", "02:00:00:00:00:01", "10.0.0.2", 20, "10.0.0.1", 1500)


def cmdline(*args, **facts):
    return describe(Facts(App(args), **facts)).cmdline


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({}, "--port=80"),
        ({"networks": (NETWORK,)}, "--ipv4=10.0.0.2/20 --ipv4-gateway=10.0.0.1 --port=80"),
        ({"networks": (NETWORK.replace(gateway=""),)}, "--ipv4=10.0.0.2/20 --port=80"),
        (
            {"networks": (NETWORK,), "solo5_net": "ext"},
            "--ext-ipv4=10.0.0.2/20 --ext-ipv4-gateway=10.0.0.1 --port=80",
        ),
        (
            {"networks": (NETWORK,), "solo5_net": "service"},
            "--ipv4=10.0.0.2/20 --ipv4-gateway=10.0.0.1 --port=80",
        ),
    ],
)
def test_the_address_comes_first(facts, expected):
    assert cmdline("--port=80", **facts) == expected


def test_words_are_quoted_for_its_splitter():
    assert cmdline("--motd=it's a", "b\\c") == "'--motd=it'\"'\"'s a' 'b\\c'"


def test_an_empty_argument_is_refused():
    with pytest.raises(Unsupported, match="empty argument"):
        cmdline("")


def test_its_devices_have_its_names_or_those_of_the_image():
    guest = describe(Facts(App(()), (NETWORK,), Block("/disk0")))
    assert (guest.nics, guest.disks) == ((Nic("service", NETWORK),), (Disk("storage", "/disk0"),))
    guest = describe(Facts(App(()), (NETWORK,), Block("/disk0"), solo5_net="n1", solo5_block="b1"))
    assert (guest.nics[0].name, guest.disks[0].name) == ("n1", "b1")


def test_it_would_like_to_leave_with_a_status():
    assert DEBUG_EXIT in describe(Facts(App(()))).wishes
