# SPDX-License-Identifier: Apache-2.0
"""Linux guests: the kernel's command line, and what the first process is told."""

from __future__ import annotations

import pytest

from urunc.errors import Unsupported
from urunc.guests.linux import describe
from urunc.machine import (
    DEBUG_EXIT,
    DISK_NAMES,
    INITRD,
    NO_PCI,
    PANIC_EXIT,
    PORTS,
    RESET_ENDS,
    SEMIHOSTING,
    Address,
    App,
    Block,
    Disk,
    Facts,
    Initrd,
    Network,
    Nic,
    Route,
    Share,
    UserNetwork,
    Volume,
)  # fmt: skip
from urunc_common.cpio import File

NETWORK = Network("tap0", "02:00:00:00:00:01", "10.0.0.2", 24, "10.0.0.1", 1400)
APP = App(("/bin/app", "a b", 'it\'s "so"\n'), ("A=1 2", "dotted.name=x"))


def told(**facts):
    """The records of the configuration, those of one key joined by commas."""
    (file,) = describe(Facts(**{"app": APP, **facts})).files
    rest = file.content.partition(b"urunc 2\n")[2]
    found = {}
    while rest[:1].isalpha() and (head := rest.partition(b"\n")) and head[0].count(b" ") == 1:
        key, length = head[0].split()
        value, rest = head[2][: int(length)].decode(), head[2][int(length) + 1 :]
        found.setdefault(key.decode(), []).append(value)
    return found


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({}, "panic=-1 console=ttyS0 quiet cryptomgr.notests rdinit=/.urunc/init"),
        ({"arch": "aarch64"}, "panic=-1 console=ttyAMA0 quiet cryptomgr.notests rdinit=/.urunc/init"),
        (
            {"arch": "aarch64", "offers": frozenset({PANIC_EXIT})},
            "panic=-1 console=ttyAMA0 quiet cryptomgr.notests rdinit=/.urunc/init",
        ),
        (
            {"offers": frozenset({PANIC_EXIT})},
            "panic=-1 console=ttyS0 quiet cryptomgr.notests reboot=k rdinit=/.urunc/init",
        ),
        (
            {"offers": frozenset({RESET_ENDS})},
            "panic=-1 console=ttyS0 quiet cryptomgr.notests reboot=k rdinit=/.urunc/init",
        ),
        (
            {"tsc_khz": 2600000, "offers": frozenset({PORTS})},
            "panic=-1 console=ttyS0 quiet cryptomgr.notests tsc_early_khz=2600000 loglevel=1 "
            "rdinit=/.urunc/init",
        ),
    ],
)
def test_the_kernel_is_told_only_what_is_its_own(facts, line):
    assert describe(Facts(APP, **facts)).cmdline == line


def test_arguments_and_variables_arrive_as_they_are():
    assert told()["arg"] == list(APP.args)
    assert told()["env"] == list(APP.env)


def test_the_program_runs_as_the_container_says():
    app = APP.replace(
        cwd="/srv",
        uid=7,
        gid=8,
        groups=(9, 10),
        umask=0o77,
        hostname="web",
        rlimits=(("RLIMIT_NOFILE", 5, 6),),
    )
    found = told(app=app)
    assert (found["cwd"], found["uid"], found["gid"], found["group"]) == (["/srv"], ["7"], ["8"], ["9", "10"])
    assert (found["umask"], found["hostname"], found["rlimit"]) == (["77"], ["web"], ["RLIMIT_NOFILE 5 6"])


@pytest.mark.parametrize(
    ("root", "record"),
    [
        (None, None),
        (Initrd(INITRD), None),
        (Block("/disk0"), ["block rootfs rw"]),
        (Block("/disk0", readonly=True), ["block rootfs ro"]),
        (Share("fs0"), ["virtiofs fs0 rw"]),
        (Share("fs0", kind="9p", readonly=True), ["9p fs0 ro"]),
    ],
)
def test_the_first_process_mounts_the_root_that_is_not_the_initrd(root, record):
    assert told(root=root, offers=frozenset({DISK_NAMES})).get("root") == record


def test_a_disk_without_a_name_is_the_first_one():
    assert told(root=Block("/disk0"))["root"] == ["block /dev/vda rw"]


@pytest.mark.parametrize(
    ("facts", "device"),
    [
        ({"offers": frozenset({DISK_NAMES})}, "annot_vol"),
        ({"root": Block("/disk0")}, "/dev/vdb"),
        ({"root": Initrd(INITRD)}, "/dev/vda"),
    ],
)
def test_a_further_disk_is_mounted_before_the_volumes(facts, device):
    extra, volumes = (
        Block("/disk1", "/data", readonly=True),
        (Volume("copy", "/.urunc/volumes/0", "/data/x"),),
    )
    assert told(extra=extra, volumes=volumes, **facts)["mount"] == [
        f"block {device} ro /data",
        "copy /.urunc/volumes/0 rw /data/x",
    ]
    assert describe(Facts(APP, extra=extra, **facts)).disks[-1] == Disk("annot_vol", "/disk1", readonly=True)


def test_every_interface_has_its_addresses_and_routes():
    other = Network(
        "tap1", "02:00:00:00:00:02", "", 0, "", 1500, name="net1",
        more=(Address("fd00::2", 64),), routes=(Route("default", "fd00::1", 100), Route("10.1.0.0/16")),
    )  # fmt: skip
    found = told(networks=(NETWORK, other))
    assert found["interface"] == ["02:00:00:00:00:01 1400 eth0", "02:00:00:00:00:02 1500 net1"]
    assert found["address"] == ["10.0.0.2/24", "fd00::2/64"]
    assert found["route"] == ["default 10.0.0.1 0", "default fd00::1 100", "10.1.0.0/16 - 0"]
    assert told(networks=(UserNetwork(),))["address"] == ["10.0.2.15/24"]


def test_volumes_are_mounts_unless_the_root_has_them_already():
    volumes = (
        Volume("virtiofs", "volumes/0", "/data"),
        Volume("copy", "/.urunc/volumes/1", "/etc/a b", readonly=True),
        Volume("within", "", "/x"),
    )
    found = told(volumes=volumes, copies=(File("/.urunc/volumes/1", b"x"),))
    assert found["mount"] == ["virtiofs volumes/0 rw /data", "copy /.urunc/volumes/1 ro /etc/a b"]


def test_a_status_leaves_an_emulated_arm_by_semihosting():
    offers = frozenset({DEBUG_EXIT, SEMIHOSTING})
    assert told(offers=offers, arch="aarch64")["report"] == ["semihosting"]
    assert told(offers=offers - {SEMIHOSTING}, arch="aarch64")["report"] == ["none"]
    assert told(offers=offers)["report"] == ["debug-exit 0x501"]


@pytest.mark.parametrize(
    ("offers", "stdio", "control", "report"),
    [
        (frozenset(), "console", None, "none"),
        (frozenset({PORTS, DEBUG_EXIT}), "ports", ["org.urunc.control"], "debug-exit 0x501"),
        (frozenset({RESET_ENDS}), "console", None, "reset"),
    ],
)
def test_streams_signals_and_status_go_where_the_monitor_takes_them(offers, stdio, control, report):
    found = told(offers=offers)
    assert (found["stdio"], found.get("control"), found["report"]) == ([stdio], control, [report])


@pytest.mark.parametrize(
    ("program", "record"),
    [("/sbin/init", ["1"]), ("/lib/systemd/systemd", ["1"]), ("/bin/initialize", None)],
)
def test_a_program_that_is_an_init_takes_our_place(program, record):
    assert told(app=App((program,))).get("exec") == record


def test_it_needs_a_program():
    with pytest.raises(Unsupported, match="needs a program") as caught:
        describe(Facts(App(())))
    assert caught.value.hint


def test_its_devices_are_named_and_need_no_pci():
    guest = describe(Facts(APP, (NETWORK, NETWORK), Block("/disk0", format="qcow2")))
    assert guest.disks == (Disk("rootfs", "/disk0", format="qcow2"),)
    assert guest.nics == (Nic("net0", NETWORK), Nic("net1", NETWORK))
    assert {NO_PCI, DEBUG_EXIT, SEMIHOSTING, PANIC_EXIT, PORTS} == guest.wishes
    assert guest.initrd == INITRD
