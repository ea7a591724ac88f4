# SPDX-License-Identifier: Apache-2.0
"""The real QEMU builds every machine that we plan: it is asked over QMP to quit, and must not complain."""

from __future__ import annotations

import ctypes
import fcntl
import json
import os
import socket
import struct
import subprocess
import tempfile

import pytest
import sample_guests
from capabilities import require

from urunc import guests, qcow2
from urunc.machine import (
    DEBUG_EXIT,
    MODERN_VIRTIO,
    NINEP,
    NO_PCI,
    PANIC_EXIT,
    PORTS,
    SEMIHOSTING,
    TERMINAL,
    App,
    Block,
    Disk,
    Guest,
    Initrd,
    Machine,
    Network,
    Nic,
    Share,
    Streams,
    UserNetwork,
)
from urunc.monitors import qemu
from urunc.plan import Given, Host, plan
from urunc.roots import Choice
from urunc_common.config import UnikernelConfig
from urunc_common.rules import PAIRS

USER = UserNetwork((("tcp", 0, 80), ("udp", 0, 53)))
ROOTS = {
    "initrd": Initrd("/boot/i"),
    "raw": Block("/boot/d"),
    "readonly": Block("/boot/d", readonly=True),
    "overlay": Block("/boot/d", format="qcow2"),
    "9p": Share("fs0", kind=NINEP),
}
SIZE = 1 << 20
OUTPUT = os.open(os.devnull, os.O_WRONLY)
STREAMS = Streams(OUTPUT, OUTPUT)


def multiboot_kernel():
    """The smallest file that QEMU accepts as a kernel: a header at the address where it is loaded."""
    magic, flags, load = 0x1BADB002, 0x10000, 0x100000
    checksum, end, entry = -(magic + flags) & 0xFFFFFFFF, load + 64, load + 32
    return struct.pack("<8I", magic, flags, checksum, load, load, end, end, entry) + b"\xf4" * 32


@pytest.fixture(scope="module", name="files")
def files_fixture():
    """What is in the monitor's root, under the names that it has outside of it."""
    with tempfile.TemporaryDirectory() as folder:
        contents = {"kernel": multiboot_kernel(), "initrd": b"070701", "disk0": bytes(SIZE)}
        for name, content in contents.items():
            with open(f"{folder}/{name}", "wb") as file:
                file.write(content)
        with open(f"{folder}/overlay", "wb") as file:
            file.write(qcow2.render(SIZE, f"{folder}/disk0"))
        yield folder


def outside(files, word):
    if word in ("/kernel", "/initrd"):
        return files + word
    word = word.replace("path=/share,", f"path={files},").replace("=/urunit.disk", f"={files}/urunit.disk")
    disk = "overlay" if "format=qcow2" in word else "disk0"
    return word.replace("file=/disk0", f"file={files}/{disk}")


def check(launch, files, **options):
    """Start the monitor with its processors stopped, say quit, and see that it had nothing to say itself."""
    ours, its = socket.socketpair()
    for file in launch.files:
        if file.path != "/initrd":
            with open(files + file.path, "wb") as made:
                made.write(file.content)
    argv = [outside(files, word) for word in launch.argv]
    argv += ["-S", "-chardev", f"socket,id=qmp,fd={its.fileno()}", "-mon", "chardev=qmp,mode=control"]
    ours.sendall(b'{"execute":"qmp_capabilities"}\n{"execute":"quit"}\n')
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=30,
        pass_fds=(its.fileno(), *launch.fds),
        **options,
    )
    its.close()
    assert (done.returncode, done.stderr, done.stdout) == (0, b"", b"")
    assert "QMP" in json.loads(ours.recv(4096).splitlines()[0])
    ours.close()


def host(**fields):
    return Host(memory_mib=64, accel="tcg", tsc_khz=2600000, **fields)


def can_have(guest, root):
    module = guests.load(guest)
    if root is None:
        return sample_guests.root(guest) is None
    return isinstance(root, module.ROOTS) and (
        not isinstance(root, Share) or NINEP in module.CONTAINER.shares
    )


def planned(guest, networks=(), root=None, **fields):
    app = App(sample_guests.arguments(guest))
    given = Given(shares=(root,) if isinstance(root, Share) else ())
    config = UnikernelConfig(guest, "qemu", "/boot/k")
    return plan(config, app, networks, Choice(root), host=host(**fields), given=given, streams=STREAMS)


@pytest.mark.parametrize("networks", [(), (USER,)], ids=["alone", "user-network"])
@pytest.mark.parametrize(
    ("guest", "root"),
    [(name, root) for name in PAIRS["qemu"] for root in (None, *ROOTS) if can_have(name, ROOTS.get(root))],
)
def test_qemu_builds_every_guest_with_every_root(guest, networks, root, files):
    require("qemu")
    check(planned(guest, networks, ROOTS.get(root)), files)


@pytest.mark.parametrize("guest", PAIRS["qemu"])
def test_qemu_takes_a_tap_by_descriptor(guest, files):
    require("qemu", "root")
    placeholder = os.open("/dev/null", os.O_RDWR)
    network = Network("tap0", "02:00:00:00:00:01", "10.0.0.2", 24, "10.0.0.1", 1400, fd=placeholder)
    check(
        planned(guest, (network,), sample_guests.root(guest)), files, preexec_fn=lambda: open_tap(placeholder)
    )
    os.close(placeholder)


def test_qemu_takes_a_tap_by_name(files):
    require("qemu", "root")
    network = Network("tap0", "02:00:00:00:00:01", "10.0.0.2", 24, "10.0.0.1", 1500)
    check(planned("linux", (network,)), files, preexec_fn=new_network)


@pytest.mark.parametrize("accel", ["kvm", "tcg"])
@pytest.mark.parametrize("wishes", [frozenset(), frozenset({NO_PCI, DEBUG_EXIT})], ids=["pc", "microvm"])
def test_qemu_takes_either_accelerator_several_processors_and_no_sandbox(accel, wishes, files):
    require("qemu", *(("kvm",) if accel == "kvm" else ()))
    machine = Machine(
        "/kernel", Guest("x", wishes=wishes), accel=accel, vcpus=2, memory_mib=64, seccomp=False
    )
    check(qemu.launch(machine), files)


@pytest.mark.parametrize("model", ["microvm", "pc", "q35"])
@pytest.mark.parametrize("guest", PAIRS["qemu"])
def test_qemu_builds_every_guest_on_every_machine(guest, model, files):
    require("qemu")
    root = sample_guests.root(guest)
    check(planned(guest, (), root, model=model, tight=True), files)
    check(planned(guest, (USER,), root, model=model, vcpus=2), files)


@pytest.mark.parametrize("model", ["microvm", "pc", "q35"])
def test_qemu_has_an_exit_for_a_panic_where_it_can(model, files):
    require("qemu")
    guest = Guest("x", wishes=frozenset({PANIC_EXIT, DEBUG_EXIT, NO_PCI}))
    check(qemu.launch(Machine("/kernel", guest, accel="tcg", memory_mib=64, model=model)), files)


def test_qemu_knows_vhost(files):
    """It cannot be tried where the host has none; then QEMU names the device, not the option."""
    require("qemu", "root")
    network = Network("tap0", "02:00:00:00:00:01", "10.0.0.2", 24, "10.0.0.1", 1500)
    launch = planned("generic", (network,), vhost=True)
    if os.path.exists("/dev/vhost-net"):
        check(launch, files, preexec_fn=new_network)
        return
    argv = [outside(files, word) for word in launch.argv]
    done = subprocess.run(argv, capture_output=True, check=False, timeout=30, preexec_fn=new_network)
    assert b"vhost" in done.stderr
    assert b"Invalid parameter" not in done.stderr


def test_qemu_builds_modern_devices(files):
    require("qemu")
    disks, nics = (Disk("d", "/disk0"),), (Nic("n", USER),)
    guest = Guest("x", disks=disks, nics=nics, quirks=frozenset({MODERN_VIRTIO}))
    check(qemu.launch(Machine("/kernel", guest, accel="tcg", memory_mib=64)), files)


@pytest.mark.parametrize("wishes", [(), (NO_PCI,), (TERMINAL,)], ids=["streams", "microvm", "terminal"])
@pytest.mark.parametrize("sockets", [(), (1,), (0, 1)], ids=["pipes", "both", "sockets"])
def test_qemu_builds_ports(wishes, sockets, files):
    require("qemu")
    outputs = [os.open("/dev/null", os.O_WRONLY), os.open("/dev/null", os.O_WRONLY)]
    pairs = [socket.socketpair() for _ in sockets]
    for index, (_, its) in zip(sockets, pairs, strict=True):
        os.dup2(its.fileno(), outputs[index])
    with socket.socket(socket.AF_UNIX) as listener, open(os.devnull, "wb") as debug:
        listener.bind("")
        listener.listen()
        machine = Machine(
            "/kernel",
            Guest("x", wishes=frozenset({PORTS, *wishes})),
            accel="tcg",
            memory_mib=64,
            streams=Streams(*outputs, frozenset(outputs[index] for index in sockets)),
            control=listener.fileno(),
            debug_console=debug.fileno(),
        )
        check(qemu.launch(machine), files)
        check(qemu.launch(machine.replace(debug_console=-1, control=-1)), files)
    for descriptor in outputs:
        os.close(descriptor)
    for pair in pairs:
        for end in pair:
            end.close()


@pytest.mark.parametrize("readonly", [False, True], ids=["writable", "readonly"])
@pytest.mark.parametrize("wishes", [(), (NO_PCI,)], ids=["pc", "microvm"])
def test_qemu_shares_a_directory_over_9p(wishes, readonly, files):
    require("qemu")
    share = Share("fs0", files, NINEP, readonly)
    guest = Guest("x", shares=(share,), wishes=frozenset(wishes))
    check(qemu.launch(Machine("/kernel", guest, accel="tcg", memory_mib=64)), files)


@pytest.mark.parametrize("guest", sorted(set(PAIRS["qemu"]) - sample_guests.X86_ONLY))
def test_qemu_for_arm_builds_every_guest(guest, files):
    require("qemu-arm")
    check(planned(guest, (USER,), sample_guests.root(guest), arch="aarch64"), files)


def test_qemu_for_arm_takes_a_status(files):
    require("qemu-arm")
    guest = Guest("x", wishes=frozenset({SEMIHOSTING}))
    check(qemu.launch(Machine("/kernel", guest, "aarch64", 64, accel="tcg")), files)


def test_qemu_for_arm_builds_ports_and_shares(files):
    require("qemu-arm")
    with open(os.devnull, "wb") as output:
        guest = Guest("x", shares=(Share("fs0", files, NINEP),), wishes=frozenset({PORTS}))
        streams = Streams(output.fileno(), output.fileno())
        check(qemu.launch(Machine("/kernel", guest, "aarch64", 64, accel="tcg", streams=streams)), files)


def new_network():
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000):
        raise OSError(ctypes.get_errno(), "unshare")


def open_tap(descriptor):
    """In the child: a tap of its own network namespace takes the place of `descriptor`."""
    new_network()
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, 0x400454CA, struct.pack("16sH22x", b"tap0", 0x5002))
    os.dup2(tap, descriptor)
