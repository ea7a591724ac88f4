# SPDX-License-Identifier: Apache-2.0
"""Mewz: two words for the network, and nothing else."""

from __future__ import annotations

import pytest

from urunc.errors import Unsupported
from urunc.guests.mewz import describe
from urunc.machine import DEBUG_EXIT, MODERN_VIRTIO, App, Facts, Network, Nic

NETWORK = Network("tap0", "02:00:00:00:00:01", "10.0.0.2", 24, "10.0.0.1", 1500)


@pytest.mark.parametrize(
    ("networks", "cmdline"),
    [
        ((), ""),
        ((NETWORK,), "ip=10.0.0.2/24 gateway=10.0.0.1"),
        ((NETWORK.replace(prefix=16, gateway=""),), "ip=10.0.0.2/16 gateway=0.0.0.0"),
        ((NETWORK.replace(address=""),), ""),
    ],
)
def test_it_is_told_its_address(networks, cmdline):
    assert describe(Facts(App(("hello",), ("A=1",)), networks)).cmdline == cmdline


def test_arguments_are_refused_but_for_the_name():
    assert describe(Facts(App(()))).cmdline == ""
    with pytest.raises(Unsupported, match="a mewz unikernel cannot be given arguments: -p 80"):
        describe(Facts(App(("hello", "-p", "80"))))


def test_its_devices():
    guest = describe(Facts(App(("hello",)), (NETWORK,)))
    assert guest.nics == (Nic("net0", NETWORK),)
    assert (guest.quirks, guest.wishes) == ({MODERN_VIRTIO}, {DEBUG_EXIT})
