# SPDX-License-Identifier: Apache-2.0
"""QEMU's command line: the smallest machine in full, then what each need adds."""

from __future__ import annotations

import pytest

from urunc.machine import (
    DEBUG_EXIT,
    MODERN_VIRTIO,
    NINEP,
    NO_PCI,
    PANIC_EXIT,
    PC_TIMERS,
    PORTS,
    POWER_BUTTON,
    SEMIHOSTING,
    TERMINAL,
    Disk,
    Guest,
    Machine,
    Network,
    Nic,
    Share,
    Streams,
    UserNetwork,
)
from urunc.monitors import qemu

NETWORK = Network("tap0", "02:00:00:00:00:01", "10.0.0.2", 24, "10.0.0.1", 1400, fd=7)
NO_BUS = frozenset({NO_PCI})
READONLY_SHARE = Share("fs0", kind=NINEP, readonly=True)


def launch(guest=Guest("x"), **fields):  # noqa: B008  immutable
    return qemu.launch(Machine("/kernel", guest, **fields))


def has(argv, *words):
    return any(argv[start : start + len(words)] == words for start in range(len(argv)))


def test_the_smallest_machine():
    assert launch(Guest("app -- x"), seccomp=False).argv == (
        "qemu-system-x86_64",
        "-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none", "-no-reboot",
        "-machine", "pc", "-bios", "qboot.rom", "-accel", "kvm", "-cpu", "host",
        "-m", "256M", "-smp", "1",
        "-chardev", "stdio,id=stdio,signal=off", "-serial", "chardev:stdio",
        "-kernel", "/kernel", "-append", "app -- x",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("guest", "fields", "words"),
    [
        (Guest("x"), {"seccomp": True}, ("-sandbox", qemu._SANDBOX)),
        (Guest("x"), {"accel": "tcg"}, ("-accel", "tcg,tb-size=32", "-cpu", "max")),
        (Guest("x"), {"accel": "tcg", "tight": True}, ("-accel", "tcg,tb-size=16", "-cpu", "max")),
        (Guest("x"), {"model": "q35"}, ("-machine", "q35", "-bios", "qboot.rom", "-accel")),
        (Guest("x"), {"model": "microvm"}, ("-machine", "microvm", "-global")),
        (Guest("x", wishes=NO_BUS), {"model": "pc"}, ("-machine", "pc", "-bios", "qboot.rom", "-accel")),
        (Guest("x", disks=(Disk("d", "/d"),)), {"model": "q35"}, ("-machine", "q35", "-accel")),
        (Guest("x", nics=(Nic("n", NETWORK),)), {}, ("-machine", "pc", "-accel")),
        (Guest("x", shares=(READONLY_SHARE,)), {}, ("-machine", "pc", "-accel")),
        (Guest("x", wishes=frozenset({PORTS})), {}, ("-machine", "pc", "-accel")),
        (Guest("x", disks=(Disk("d", "/d"),), wishes=NO_BUS), {"model": "pc"}, ("-machine", "pc", "-bios")),
        (
            Guest("x", quirks=frozenset({PC_TIMERS}), wishes=NO_BUS), {},
            ("-machine", "microvm,acpi=on,pic=on,pit=on,rtc=on"),
        ),
        (Guest("x", quirks=frozenset({PC_TIMERS})), {}, ("-machine", "pc", "-bios")),
        (
            Guest("x", wishes=frozenset({NO_PCI, PANIC_EXIT})), {},
            ("-device", "isa-debug-exit,iobase=0x64,iosize=1"),
        ),
        (
            Guest("x", wishes=frozenset({PANIC_EXIT})), {"model": "pc"},
            ("-device", "pvpanic", "-action", "panic=exit-failure"),
        ),
        (
            Guest("x", wishes=frozenset({PANIC_EXIT})), {"model": "q35"},
            ("-machine", "q35,i8042=off"),
        ),
        (
            Guest("x", nics=(Nic("n", NETWORK),)), {"vhost": True},
            ("-netdev", "tap,id=net0,fd=7,vhost=on"),
        ),
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
        (
            Guest("x", shares=(Share("fs0", "/a,b"),)), {"memory_mib": 64},
            (
                "-m", "64M", "-object", "memory-backend-memfd,id=memory,size=64M,share=on",
                "-machine", "memory-backend=memory",
            ),
        ),
        (
            Guest("x", shares=(Share("fs0", "/a,b"),)), {},
            (
                "-chardev", "socket,id=share0,path=/a,,b.sock",
                "-device", "vhost-user-fs-pci,queue-size=1024,chardev=share0,tag=fs0",
            ),
        ),
        (
            Guest("x", shares=(Share("a"), Share("fs0", "/s", NINEP)), wishes=NO_BUS), {},
            (
                "-fsdev", "local,id=share1,path=/s,security_model=none,multidevs=remap",
                "-device", "virtio-9p-device,fsdev=share1,mount_tag=fs0",
            ),
        ),
        (
            Guest("x", shares=(READONLY_SHARE,), quirks=frozenset({MODERN_VIRTIO})), {},
            (
                "-fsdev", "local,id=share0,path=/share,security_model=none,multidevs=remap,readonly=on",
                "-device", "virtio-9p-pci,disable-legacy=on,disable-modern=off,fsdev=share0,mount_tag=fs0",
            ),
        ),
    ],
)  # fmt: skip
def test_what_a_need_adds(guest, fields, words):
    assert has(launch(guest, **fields).argv, *words)


def test_arm_has_no_isa_bus():
    wishes = frozenset({DEBUG_EXIT, PANIC_EXIT, NO_PCI})
    argv = launch(Guest("x", wishes=wishes), arch="aarch64").argv
    assert argv[0] == "qemu-system-aarch64"
    assert not any("isa" in word or "panic" in word for word in argv)


@pytest.mark.parametrize(
    ("fields", "there"),
    [
        ({"arch": "aarch64", "accel": "tcg"}, True),
        ({"arch": "aarch64", "accel": "kvm"}, False),
        ({"accel": "tcg"}, False),
    ],
)
def test_an_emulated_arm_takes_a_status_but_serves_no_files(fields, there):
    argv = launch(Guest("x", wishes=frozenset({SEMIHOSTING})), **fields).argv
    assert has(argv, "-semihosting-config", "enable=on,target=gdb,userspace=on") == there


def test_a_kernel_on_pc_is_left_its_keyboard_controller():
    argv = launch(Guest("x", wishes=frozenset({NO_PCI, PANIC_EXIT})), model="pc").argv
    assert not any("0x64" in word or "8042" in word for word in argv)


@pytest.mark.parametrize("model", ["microvm", "pc", "q35"])
def test_arm_has_one_machine(model):
    assert has(launch(Guest("x", wishes=NO_BUS), arch="aarch64", model=model).argv, "-machine", "virt")


def test_vhost_is_one_device_more():
    guest = Guest("x", nics=(Nic("n", NETWORK),))
    assert launch(guest, vhost=True).devices == ("/dev/kvm", "/dev/vhost-net")


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


STREAMS = Streams(5, 6)
STDIO = ("-chardev", "stdio,id=stdio,signal=off")
OUT = (
    "-add-fd", "fd=5,set=5", "-chardev", "file,id=stdout,path=/dev/fdset/5,append=on,mux=on",
    "-device", "virtserialport,chardev=stdout,name=org.urunc.stdout",
)  # fmt: skip
ERR = ("-add-fd", "fd=6,set=6", "-chardev", "file,id=stderr,path=/dev/fdset/6,append=on,mux=on")
IN = ("-device", "virtserialport,chardev=stdio,name=org.urunc.stdin")
BEHIND_ERR = ("-device", "virtserialport,chardev=stderr,name=org.urunc.stderr")
CONTROL = (
    "-chardev", "socket,id=control,fd=7,server=on,wait=off",
    "-device", "virtserialport,chardev=control,name=org.urunc.control",
)  # fmt: skip
DEBUG = ("-add-fd", "fd=8,set=8", "-chardev", "file,id=debug,path=/dev/fdset/8,append=on,mux=on")


@pytest.mark.parametrize(
    ("wishes", "fields", "words"),
    [
        ((), {}, (*STDIO, *ERR, *IN, *OUT, *BEHIND_ERR, "-serial", "chardev:stderr")),
        ((), {"control": 7}, (*BEHIND_ERR, *CONTROL, "-serial", "chardev:stderr")),
        ((), {"debug_console": 8}, (*BEHIND_ERR, *DEBUG, "-serial", "chardev:debug", "-kernel")),
        (
            (),
            {"streams": Streams(5, 6, frozenset({5, 6}))},
            (
                "-chardev", "socket,id=stderr,fd=6,mux=on", *IN,
                "-chardev", "socket,id=stdout,fd=5,mux=on",
            ),
        ),
        (
            (TERMINAL,),
            {"control": 7},
            (
                *STDIO, *ERR, "-device", "virtconsole,chardev=stdio,name=org.urunc.console", *CONTROL,
                "-serial", "chardev:stderr", "-kernel",
            ),
        ),
        ((), {}, ("-device", "virtio-serial-pci,max_ports=21", *STDIO)),
        ((NO_PCI,), {}, ("-device", "virtio-serial-device,max_ports=21", *STDIO)),
    ],
)  # fmt: skip
def test_a_guest_that_knows_ports_has_one_for_each_stream(wishes, fields, words):
    found = launch(Guest("x", wishes=frozenset({PORTS, *wishes})), **{"streams": STREAMS, **fields})
    assert has(found.argv, *words)


def test_a_guest_that_does_not_know_ports_has_its_serial_console():
    found = launch(Guest("x", wishes=frozenset({TERMINAL})), streams=STREAMS, control=7, debug_console=8)
    assert has(found.argv, *STDIO, "-serial", "chardev:stdio")
    assert not any("virt" in word or "fdset" in word for word in found.argv)
    assert found.fds == ()


def test_the_monitor_keeps_the_descriptors_of_its_ports():
    guest = Guest("x", nics=(Nic("n", NETWORK.replace(fd=9)),), wishes=frozenset({PORTS}))
    assert launch(guest, streams=STREAMS, control=7, debug_console=8).fds == (9, 5, 6, 7, 8)
    assert launch(guest, streams=Streams(5, 5)).fds == (9, 5)


@pytest.mark.parametrize(("model", "there"), [("pc", True), ("q35", True), ("microvm", False)])
def test_a_power_button_is_one_that_guests_have_a_driver_for(model, there):
    wishes = frozenset({POWER_BUTTON})
    assert launch(Guest("x", wishes=wishes), model=model).power_button == there
    assert not launch(Guest("x"), model=model).power_button


def test_commands_come_by_a_socket_that_is_inherited():
    found = launch(Guest("x"), commands=9)
    assert has(found.argv, "-chardev", "socket,id=commands,fd=9,server=on,wait=off")
    assert has(found.argv, "-mon", "chardev=commands,mode=control")
    assert 9 in found.fds
    assert not has(launch(Guest("x")).argv, "-mon")
