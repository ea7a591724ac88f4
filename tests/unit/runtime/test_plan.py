# SPDX-License-Identifier: Apache-2.0
"""The decisions: root, memory, and what is handed to guest and monitor."""

from __future__ import annotations

from urunc.machine import App, Block, Initrd, Network
from urunc.plan import Host, plan
from urunc.roots import Choice
from urunc_common.config import UnikernelConfig

APP = App(("app",))


def config(guest="linux", hypervisor="qemu", **fields):
    return UnikernelConfig(guest, hypervisor, "/boot/kernel", **fields)


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


def test_only_an_emulated_guest_is_offered_semihosting():
    emulated = plan(config(), APP, (), Choice(None), host=Host("aarch64", accel="tcg")).files
    real = plan(config(), APP, (), Choice(None), host=Host("aarch64", accel="kvm")).files
    assert b"semihosting" in emulated[0].content
    assert b"semihosting" not in real[0].content
