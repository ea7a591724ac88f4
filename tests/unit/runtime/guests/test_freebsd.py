# SPDX-License-Identifier: Apache-2.0
"""FreeBSD: variables of the kernel's environment, and the disk that urunit reads."""

from __future__ import annotations

import pytest

from urunc.errors import Unsupported
from urunc.guests.freebsd import describe
from urunc.machine import (
    NINEP,
    NO_PCI,
    PC_TIMERS,
    POWER_BUTTON,
    App,
    Block,
    Disk,
    Facts,
    File,
    Network,
    Nic,
    Share,
)

NETWORK = Network("tap0", "02:00:00:00:00:01", "172.17.0.2", 16, "172.17.0.1", 1500)
UFS, P9FS = "vfs.root.mountfrom=ufs:/dev/vtbd0", "vfs.root.mountfrom=p9fs:fs0"
CONFIG = (
    b"UES\nPATH=/bin:/sbin\nFOO=bar\nUEE\n"
    b"UCS\nUID:1001\nGID:1002\nWD:/tmp\nARC:3\nARV:/rescue/sh\nARV:-c\nARV:echo hello world\nUCE\n"
    b"UBS\nUBE\n"
    b"UNS\nIP:172.17.0.2\nGW:172.17.0.1\nMSK:255.255.0.0\nUNE\n"
    b"PAD\n"
)


def freebsd(*args, env=(), **facts):
    app = App(args, env, "/tmp", 1001, 1002)
    return describe(Facts(app, **facts))


@pytest.mark.parametrize(
    ("args", "facts", "cmdline"),
    [
        ((), {}, ""),
        (("/sbin/init",), {"root": Block("/disk0")}, f"{UFS} init_path=/sbin/init"),
        (("/app",), {"root": Share("fs0", kind=NINEP)}, f"{P9FS} init_path=/app"),
        (
            ("/urunit", "x"),
            {"root": Block("/disk0")},
            f"{UFS} init_path=/urunit URUNIT_CONFIG=/dev/vtbd1",
        ),
        (
            ("/urunit", "x"),
            {"root": Share("fs0", kind=NINEP), "networks": (NETWORK,)},
            f"{P9FS} init_path=/urunit URUNIT_CONFIG=/dev/vtbd0",
        ),
        (
            ("/urunit", "x"),
            {"networks": (NETWORK.replace(gateway="10.0.0.1"),)},
            "init_path=/urunit URUNIT_CONFIG=/dev/vtbd0 URUNIT_DEFROUTE=1",
        ),
    ],
)
def test_the_kernel_is_told_root_and_first_process(args, facts, cmdline):
    assert freebsd(*args, **facts).cmdline == cmdline


def test_urunit_reads_everything_else_from_a_disk_of_whole_sectors():
    guest = freebsd(
        "/urunit", "/rescue/sh", "-c", "echo hello world",
        env=("PATH=/bin:/sbin", "FOO=bar"), networks=(NETWORK,), root=Block("/disk0"),
    )  # fmt: skip
    (file,) = guest.files
    assert file == File("/urunit.disk", CONFIG.ljust(512, b"\n"))
    assert guest.disks == (Disk("rootfs", "/disk0"), Disk("urunit", "/urunit.disk", readonly=True))


def test_without_a_network_the_lines_stay_empty():
    content = freebsd("/urunit", "x").files[0].content
    assert b"\nUNS\nIP:\nGW:\nMSK:\nUNE\nPAD\n" in content
    assert len(content) % 512 == 0


def test_its_devices():
    guest = freebsd("/sbin/init", networks=(NETWORK,), root=Block("/disk0"))
    assert (guest.disks, guest.files) == ((Disk("rootfs", "/disk0"),), ())
    assert guest.nics == (Nic("net0", NETWORK),)
    assert (guest.quirks, guest.wishes) == ({PC_TIMERS}, {NO_PCI, POWER_BUTTON})
    share = Share("fs0", kind=NINEP)
    assert freebsd("/sbin/init", root=share).shares == (share,)


@pytest.mark.parametrize(
    ("args", "fields", "message"),
    [
        (("/sbin/init", "x y"), {}, "cannot be given arguments: x y"),
        (("/a,b",), {}, "takes no blank or comma: init_path=/a,b"),
        (("/a b",), {}, "takes no blank or comma"),
        (("/" + "a" * 120,), {}, "takes at most 127 bytes"),
        (("/urunit", "a\nb"), {}, "urunit cannot be told this"),
        (("/urunit", "x"), {"env": ("UEE=1",)}, "urunit cannot be told this"),
        (("/app",), {"root": Share("fs0")}, "by 9p, not by virtiofs"),
        (("/app",), {"root": Block("/disk0", "/data")}, "cannot mount its only disk at /data"),
    ],
)
def test_what_it_cannot_have_is_refused(args, fields, message):
    with pytest.raises(Unsupported, match=message):
        freebsd(*args, **fields)
