# SPDX-License-Identifier: Apache-2.0
"""The real Firecracker and Cloud Hypervisor boot a kernel with all the devices that we plan for it."""

from __future__ import annotations

import ctypes
import fcntl
import os
import struct
import subprocess

import pytest
from capabilities import ROOT, require

from urunc import monitors
from urunc.machine import Disk, Guest, Machine, Network, Nic

SIZE = 1 << 20
MAC = "02:00:00:00:00:01"


@pytest.fixture(scope="module", name="files")
def files_fixture(tmp_path_factory):
    """What is in the monitor's root, under the names that it has outside of it."""
    require("gcc")
    folder = tmp_path_factory.mktemp("root")
    subprocess.run([ROOT / "examples/hello/build"], check=True)
    (folder / "kernel").symlink_to(ROOT / "examples/hello/out/hello")
    (folder / "initrd").write_bytes(b"070701")
    (folder / "disk0").write_bytes(bytes(SIZE))
    return folder


def outside(files, text):
    for name in ("kernel", "initrd", "disk0", "vm.json"):
        text = text.replace(f"/{name}", f"{files}/{name}")
    return text


def boot(monitor, files, guest, **options):
    launch = monitors.load(monitor).launch(Machine("/kernel", guest, memory_mib=64))
    for file in launch.files:
        (files / file.path.lstrip("/")).write_text(outside(files, file.content.decode()))
    argv = [outside(files, word) for word in launch.argv]
    done = subprocess.run(
        argv,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=30,
        pass_fds=launch.fds,
        **options,
    )
    said = (done.stdout + done.stderr).decode(errors="replace")
    assert "Hello from a unikernel!" in said, said
    return said


@pytest.mark.parametrize("monitor", ["cloud-hypervisor", "firecracker"])
def test_it_boots_with_nothing(monitor, files):
    require(monitor, "kvm")
    assert "command line: --x=1 y" in boot(monitor, files, Guest("--x=1 y"))


@pytest.mark.parametrize("readonly", [False, True], ids=["writable", "readonly"])
@pytest.mark.parametrize("monitor", ["cloud-hypervisor", "firecracker"])
def test_it_boots_with_an_initrd_a_disk_and_a_tap(monitor, readonly, files):
    require(monitor, "kvm", "root")
    placeholder = os.open("/dev/null", os.O_RDWR)
    by_name = not monitors.load(monitor).TAKES_TAP_FD
    network = Network("tap0", MAC, "10.0.0.2", 24, "10.0.0.1", 1500, fd=-1 if by_name else placeholder)
    guest = Guest(
        "x",
        initrd="/initrd",
        disks=(Disk("rootfs", "/disk0", readonly),),
        nics=(Nic("net0", network),),
    )
    boot(monitor, files, guest, preexec_fn=lambda: open_tap(placeholder))
    os.close(placeholder)


def open_tap(descriptor):
    """In the child: a tap of its own network namespace takes the place of `descriptor`."""
    if ctypes.CDLL(None, use_errno=True).unshare(0x40000000):
        raise OSError(ctypes.get_errno(), "unshare")
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, 0x400454CA, struct.pack("16sH22x", b"tap0", 0x5002))
    fcntl.ioctl(tap, 0x400454CB, 1)
    os.dup2(tap, descriptor, inheritable=True)
