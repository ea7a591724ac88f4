# SPDX-License-Identifier: Apache-2.0
"""QEMU's command line: the smallest machine in full, then what each need adds."""

from __future__ import annotations

import pytest

from urunc.machine import DEBUG_EXIT, MODERN_VIRTIO, NO_PCI, Disk, Guest, Machine, Network, Nic, UserNetwork
from urunc.monitors import qemu

NETWORK = Network("tap0", "02:00:00:00:00:01", "10.0.0.2", 24, "10.0.0.1", 1400, fd=7)
NO_BUS = frozenset({NO_PCI})


def launch(guest=Guest("x"), **fields):  # noqa: B008  immutable
    return qemu.launch(Machine("/kernel", guest, **fields))


def has(argv, *words):
    return any(argv[start : start + len(words)] == words for start in range(len(argv)))


def test_the_smallest_machine():
    assert launch(Guest("app -- x"), seccomp=False).argv == (
        "qemu-system-x86_64",
        "-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none", "-no-reboot",
        "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
        "-machine", "pc", "-accel", "kvm", "-cpu", "host",
        "-m", "256M", "-smp", "1",
        "-kernel", "/kernel", "-append", "app -- x",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("guest", "fields", "words"),
    [
        (Guest("x"), {"seccomp": True}, ("-sandbox", qemu._SANDBOX)),
        (Guest("x"), {"accel": "tcg"}, ("-accel", "tcg,tb-size=32", "-cpu", "max")),
        (Guest("x"), {"memory_mib": 99, "vcpus": 2}, ("-m", "99M", "-smp", "2")),
        (Guest("x"), {"arch": "aarch64"}, ("-machine", "virt")),
        (Guest("x", initrd="/initrd"), {}, ("-initrd", "/initrd")),
        (
            Guest("x", wishes=NO_BUS), {},
            ("-machine", "microvm", "-global", "virtio-mmio.force-legacy=false"),
        ),
        (
            Guest("x", wishes=frozenset({DEBUG_EXIT})), {},
            ("-device", "isa-debug-exit,iobase=0x501,iosize=2"),
        ),
        (
            Guest("x", nics=(Nic("n", NETWORK),)), {},
            (
                "-netdev", "tap,id=net0,fd=7",
                "-device", "virtio-net-pci,netdev=net0,mac=02:00:00:00:00:01,romfile=,host_mtu=1400",
            ),
        ),
        (
            Guest("x", nics=(Nic("n", NETWORK),), wishes=NO_BUS), {},
            ("-device", "virtio-net-device,netdev=net0,mac=02:00:00:00:00:01,host_mtu=1400"),
        ),
        (
            Guest("x", nics=(Nic("n", NETWORK.replace(fd=-1, tap="a,b")),)), {},
            ("-netdev", "tap,id=net0,ifname=a,,b,script=no,downscript=no"),
        ),
        (
            Guest("x", nics=(Nic("n", UserNetwork((("tcp", 8080, 80), ("udp", 53, 5353)))),)), {},
            (
                "-netdev", "user,id=net0,hostfwd=tcp::8080-:80,hostfwd=udp::53-:5353",
                "-device", "virtio-net-pci,netdev=net0,mac=52:54:00:12:34:56,romfile=",
            ),
        ),
        (
            Guest("x", disks=(Disk("rootfs", "/a,b", readonly=True),)), {},
            (
                "-drive", "if=none,id=disk0,file=/a,,b,format=raw,readonly=on",
                "-device", "virtio-blk-pci,drive=disk0,serial=rootfs",
            ),
        ),
        (
            Guest("x", disks=(Disk("rootfs", "/disk0", format="qcow2"),), wishes=NO_BUS), {},
            (
                "-drive", "if=none,id=disk0,file=/disk0,format=qcow2",
                "-device", "virtio-blk-device,drive=disk0,serial=rootfs",
            ),
        ),
        (
            Guest("x", disks=(Disk("d", "/disk0"),), quirks=frozenset({MODERN_VIRTIO})), {},
            ("-device", "virtio-blk-pci,disable-legacy=on,disable-modern=off,drive=disk0,serial=d"),
        ),
    ],
)  # fmt: skip
def test_what_a_need_adds(guest, fields, words):
    assert has(launch(guest, **fields).argv, *words)


def test_arm_has_no_isa_bus():
    argv = launch(Guest("x", wishes=frozenset({DEBUG_EXIT})), arch="aarch64").argv
    assert argv[0] == "qemu-system-aarch64"
    assert not any("isa" in word for word in argv)


@pytest.mark.parametrize(
    ("guest", "accel", "devices", "fds"),
    [
        (Guest("x"), "kvm", ("/dev/kvm",), ()),
        (Guest("x"), "tcg", (), ()),
        (Guest("x", nics=(Nic("n", NETWORK),)), "tcg", (), (7,)),
        (Guest("x", nics=(Nic("n", NETWORK.replace(fd=-1)),)), "kvm", ("/dev/kvm", "/dev/net/tun"), ()),
        (Guest("x", nics=(Nic("n", UserNetwork()),)), "tcg", (), ()),
    ],
)
def test_it_gets_only_the_devices_and_descriptors_that_it_needs(guest, accel, devices, fds):
    found = launch(guest, accel=accel)
    assert (found.devices, found.fds) == (devices, fds)


def test_a_stop_is_a_term():
    assert launch().stop_signal == 15
