# SPDX-License-Identifier: Apache-2.0
"""The decisions: root, memory, and what is handed to guest and monitor."""

from __future__ import annotations

import pytest

from urunc import guests, monitors
from urunc.errors import Unsupported
from urunc.machine import App, Block, Initrd, Network
from urunc.plan import Host, effective_limit, guest_memory_mib, plan
from urunc.roots import Choice
from urunc_common.config import UnikernelConfig

MIB = 1 << 20
APP = App(("app",))


def config(guest="linux", hypervisor="qemu", **fields):
    return UnikernelConfig(guest, hypervisor, "/boot/kernel", **fields)


@pytest.mark.parametrize(
    ("limit", "guest", "monitor", "accel", "expected"),
    [
        (None, "linux", "qemu", "tcg", 256),
        (-1, "linux", "qemu", "tcg", 256),
        (512 * MIB, "linux", "qemu", "tcg", 432),
        (512 * MIB, "linux", "qemu", "kvm", 464),
        (512 * MIB + 1, "linux", "qemu", "kvm", 464),
        (512 * MIB - 1, "linux", "qemu", "kvm", 463),
        (144 * MIB, "linux", "qemu", "tcg", 64),
        (64 * MIB, "mirage", "hvt", "kvm", 60),
    ],
)
def test_the_guest_gets_the_limit_less_the_monitor_s_own_need(limit, guest, monitor, accel, expected):
    assert guest_memory_mib(limit, 256, guests.load(guest), monitors.load(monitor), accel) == expected


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(None, None), (1 << 30, 1 << 30), (4 << 30, None), (9223372036854771712, None)],
)
def test_a_limit_that_the_host_has_not_got_is_none(limit, expected):
    assert effective_limit(limit, 4 << 30) == expected


def test_a_limit_below_the_minimum_names_the_smallest_that_works():
    linux, qemu = guests.load("linux"), monitors.load("qemu")
    with pytest.raises(Unsupported, match="a memory limit of 143 MiB is too small") as caught:
        guest_memory_mib(144 * MIB - 1, 256, linux, qemu, "tcg")
    assert caught.value.hint == "give it at least 144 MiB"
    assert guest_memory_mib(144 * MIB, 256, linux, qemu, "tcg") == linux.MINIMUM_MIB


def test_no_path_of_the_image_reaches_the_command_line():
    argv = plan(config(), APP, (), Choice(Initrd("/boot/i.cpio")), host=Host()).argv
    argv += plan(config(), APP, (), Choice(Block("/boot/d.img")), host=Host()).argv
    assert not any("/boot" in word for word in argv)
    assert {"/kernel", "/initrd"} <= set(argv)
    assert any("file=/disk0," in word for word in argv)


def test_only_an_emulated_guest_is_told_the_clock_rate():
    emulated = plan(config(), APP, (), Choice(None), host=Host(accel="tcg", tsc_khz=2600000)).argv
    real = plan(config(), APP, (), Choice(None), host=Host(accel="kvm", tsc_khz=2600000)).argv
    assert "tsc_early_khz=2600000" in " ".join(emulated)
    assert "tsc_early_khz" not in " ".join(real)


def test_the_deprecated_cmdline_stands_in_for_missing_arguments():
    image = config("generic", cmdline="a  b")
    assert "a b" in plan(image, App(()), (), Choice(None), host=Host()).argv
    assert "app" in plan(image, APP, (), Choice(None), host=Host()).argv


def test_version_and_device_names_of_the_image_reach_the_guest():
    network = Network("tap0", "02:00:00:00:00:01", "10.0.0.2", 24, "10.0.0.1", 1500)
    old = plan(config("unikraft", version="0.15.0"), APP, (network,), Choice(None), host=Host()).argv
    assert any("netdev.ipv4_addr" in word for word in old)
    image = config("mirage", "hvt", solo5_net="ext", solo5_block="db")
    argv = plan(image, APP, (network,), Choice(Block("/d")), host=Host()).argv
    assert {"--net:ext=tap0", "--block:db=/disk0"} <= set(argv)


def test_the_size_of_the_machine_reaches_the_monitor():
    argv = plan(config(), APP, (), Choice(None), host=Host(memory_mib=77, vcpus=3, seccomp=False)).argv
    assert "-m 77M -smp 3 " in " ".join(argv)
    assert "-sandbox" not in argv
