# SPDX-License-Identifier: Apache-2.0
"""Cloud Hypervisor's command line: the smallest machine in full, then what each need adds."""

from __future__ import annotations

import pytest

from urunc.errors import Unsupported
from urunc.machine import NINEP, Disk, Guest, Machine, Network, Nic, Share, UserNetwork
from urunc.monitors import cloud_hypervisor

NETWORK = Network("tap0", "02:00:00:00:00:01", "10.0.0.2", 24, "10.0.0.1", 1400, fd=7)


def launch(guest=Guest("x"), **fields):  # noqa: B008  immutable
    return cloud_hypervisor.launch(Machine("/kernel", guest, **fields))


def has(argv, *words):
    return any(argv[start : start + len(words)] == words for start in range(len(argv)))


def test_the_smallest_machine():
    assert launch(Guest("--app x")).argv == (
        "cloud-hypervisor", "--memory", "size=256M", "--cpus", "boot=1",
        "--serial", "tty", "--console", "off", "--seccomp", "true",
        "--kernel", "/kernel", "--cmdline=--app x",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("guest", "fields", "words"),
    [
        (Guest("x"), {"seccomp": False}, ("--seccomp", "false")),
        (Guest("x"), {"memory_mib": 99, "vcpus": 2}, ("--memory", "size=99M", "--cpus", "boot=2")),
        (Guest("x", initrd="/initrd"), {}, ("--initramfs", "/initrd")),
        (
            Guest("x", nics=(Nic("net0", NETWORK),)), {},
            ("--net", "fd=7,mac=02:00:00:00:00:01,id=net0"),
        ),
        (
            Guest("x", nics=(Nic("a", NETWORK.replace(fd=-1)), Nic("b", NETWORK.replace(fd=8)))), {},
            (
                "--net", "tap=tap0,mac=02:00:00:00:00:01,id=a", "fd=8,mac=02:00:00:00:00:01,id=b",
            ),
        ),
        (
            Guest("x", disks=(Disk("a", "/disk0"), Disk("b", "/d,e", readonly=True))), {},
            (
                "--disk", "path=/disk0,image_type=raw,id=a,serial=a",
                'path="/d,e",image_type=raw,id=b,serial=b,readonly=on',
            ),
        ),
        (Guest("x", shares=(Share("fs0"),)), {}, ("--memory", "size=256M,shared=on")),
        (
            Guest("x", shares=(Share("fs0"),)), {},
            ("--fs", "tag=fs0,socket=/share.sock,num_queues=1,queue_size=1024"),
        ),
    ],
)  # fmt: skip
def test_what_a_need_adds(guest, fields, words):
    assert has(launch(guest, **fields).argv, *words)


@pytest.mark.parametrize(
    ("guest", "message"),
    [
        (Guest("x", nics=(Nic("n", UserNetwork()),)), "has no user-mode network"),
        (Guest("x", disks=(Disk("d", "/disk0", format="qcow2"),)), "reads raw images, not qcow2"),
        (Guest("a\tb"), r"cannot pass on a command line with other than printable ASCII characters: 'a\\tb'"),
        (Guest("x", shares=(Share("fs0", kind=NINEP),)), "shares directories by virtiofs, not by 9p"),
    ],
)
def test_what_it_does_not_have_is_refused(guest, message):
    with pytest.raises(Unsupported, match=f"cloud-hypervisor {message}"):
        launch(guest)


@pytest.mark.parametrize(
    ("networks", "devices", "fds"),
    [
        ((), ("/dev/kvm",), ()),
        ((NETWORK, NETWORK.replace(fd=8)), ("/dev/kvm",), (7, 8)),
        ((NETWORK.replace(fd=-1),), ("/dev/kvm", "/dev/net/tun"), ()),
    ],
)
def test_it_gets_only_the_devices_and_descriptors_that_it_needs(networks, devices, fds):
    found = launch(Guest("x", nics=tuple(Nic("n", network) for network in networks)))
    assert (found.devices, found.fds, found.stop_signal) == (devices, fds, 15)


def test_files_and_shares_of_the_guest_are_handed_on():
    guest = Guest("x", shares=(Share("fs0"),))
    assert launch(guest).shares == guest.shares
