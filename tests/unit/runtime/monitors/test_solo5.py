# SPDX-License-Identifier: Apache-2.0
"""The two Solo5 tenders: one command line, different devices."""

from __future__ import annotations

import pytest

from urunc import monitors
from urunc.errors import Unsupported
from urunc.machine import Disk, Guest, Machine, Network, Nic, UserNetwork

NETWORK = Network("tap0", "02:00:00:00:00:01", "10.0.0.2", 24, "10.0.0.1", 1500)
FULL = Guest("a  b", disks=(Disk("storage", "/disk0"),), nics=(Nic("service", NETWORK),))


def launch(monitor, guest, **fields):
    return monitors.load(monitor).launch(Machine("/kernel", guest, **fields))


@pytest.mark.parametrize("monitor", ["hvt", "spt"])
def test_the_command_line_names_the_devices_as_the_guest_does(monitor):
    assert launch(monitor, FULL, memory_mib=64).argv == (
        f"solo5-{monitor}",
        "--mem=64",
        "--net:service=tap0",
        "--net-mac:service=02:00:00:00:00:01",
        "--block:storage=/disk0",
        "--",
        "/kernel",
        "a  b",
    )


@pytest.mark.parametrize("monitor", ["hvt", "spt"])
def test_an_empty_command_line_is_left_out(monitor):
    assert launch(monitor, Guest("")).argv == (f"solo5-{monitor}", "--mem=256", "--", "/kernel")


@pytest.mark.parametrize(
    ("monitor", "guest", "devices", "stop_signal"),
    [
        ("hvt", FULL, ("/dev/kvm", "/dev/net/tun"), 15),
        ("hvt", Guest(""), ("/dev/kvm",), 15),
        ("spt", FULL, ("/dev/net/tun",), 9),
        ("spt", Guest(""), (), 9),
    ],
)
def test_what_it_opens_and_what_ends_it(monitor, guest, devices, stop_signal):
    found = launch(monitor, guest)
    assert (found.devices, found.stop_signal, found.fds) == (devices, stop_signal, ())


@pytest.mark.parametrize("monitor", ["hvt", "spt"])
@pytest.mark.parametrize(
    ("guest", "fields", "message"),
    [
        (Guest("x", initrd="/initrd"), {}, "cannot load an initrd"),
        (Guest("x", disks=(Disk("d", "/disk0", readonly=True),)), {}, "cannot attach a disk read-only"),
        (Guest("x", nics=(Nic("n", UserNetwork()),)), {}, "has no user-mode network"),
        (Guest("x"), {"vcpus": 2}, "gives a unikernel one processor, not 2"),
        (Guest("x" * 8192), {}, "takes a command line of at most 8191 bytes"),
    ],
)
def test_what_it_does_not_have_is_refused(monitor, guest, fields, message):
    with pytest.raises(Unsupported, match=f"solo5-{monitor} {message}"):
        launch(monitor, guest, **fields)
