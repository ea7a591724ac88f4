# SPDX-License-Identifier: Apache-2.0
"""Linux guests: the kernel's command line, and words as the kernel reads them back."""

from __future__ import annotations

import pytest

from urunc.errors import Unsupported
from urunc.guests.linux import describe
from urunc.machine import NO_PCI, App, Block, Disk, Facts, Initrd, Network, Nic, UserNetwork

NETWORK = Network("tap0", "02:00:00:00:00:01", "10.0.0.2", 24, "10.0.0.1", 1500)
START = "panic=-1 console=ttyS0 quiet cryptomgr.notests"


def cmdline(*args, env=(), **facts):
    return describe(Facts(App(("/bin/app", *args), env), **facts)).cmdline


@pytest.mark.parametrize(
    ("facts", "rest"),
    [
        ({}, "init=/bin/app -- "),
        ({"root": Initrd("/initrd")}, "root=/dev/ram0 rw rdinit=/bin/app -- "),
        ({"root": Block("/disk0")}, "root=/dev/vda rw init=/bin/app -- "),
        ({"root": Block("/disk0", readonly=True)}, "root=/dev/vda ro init=/bin/app -- "),
        ({"networks": (NETWORK,)}, "ip=10.0.0.2::10.0.0.1:255.255.255.0:urunc:eth0:off init=/bin/app -- "),
        (
            {"networks": (UserNetwork(),)},
            "ip=10.0.2.15::10.0.2.2:255.255.255.0:urunc:eth0:off init=/bin/app -- ",
        ),
        ({"tsc_khz": 2600000}, "tsc_early_khz=2600000 init=/bin/app -- "),
    ],
)
def test_the_command_line_says_what_the_guest_gets(facts, rest):
    assert cmdline(**facts) == f"{START} {rest}"


def test_everything_at_once_keeps_the_order_root_address_environment_program():
    assert cmdline("-c", "x", env=("A=1", "B=2"), networks=(NETWORK,), root=Block("/disk0")) == (
        f"{START} root=/dev/vda rw ip=10.0.0.2::10.0.0.1:255.255.255.0:urunc:eth0:off A=1 B=2 "
        "init=/bin/app -- -c x"
    )


def test_a_network_without_a_gateway_leaves_its_field_empty():
    assert "ip=10.0.0.2:::255.255.255.0:urunc:eth0:off" in cmdline(networks=(NETWORK.replace(gateway=""),))


def test_arm_has_another_console_and_measures_its_clock_itself():
    line = cmdline(arch="aarch64", tsc_khz=2600000)
    assert "console=ttyAMA0" in line
    assert "tsc_early_khz" not in line


@pytest.mark.parametrize(
    ("word", "spelling"),
    [
        ("plain", "plain"),
        ("a b", '"a b"'),
        ("", '""'),
        ('{"a":1}', '{"a":1}'),
        ('"q"', '""q""'),
        ("k=v w", '"k=v w"'),
        ('k="v"', 'k=""v""'),
        ("'x y'", "\"'x y'\""),
        ("back\\slash", "back\\slash"),
        ("à", '"à"'),
        ("=", "="),
        ("tab\tx", '"tab\tx"'),
    ],
)
def test_an_argument_is_spelt_as_the_kernel_reads_it_back(word, spelling):
    assert cmdline(word).endswith(f" -- {spelling}")


def test_a_variable_is_spelt_alike():
    assert ' A=1 "B=x y" init=' in cmdline(env=("A=1", "B=x y"))


@pytest.mark.parametrize("word", ['{"a": "b c"}', 'k="v w"', '"', "--", 'a "b'])
def test_an_argument_that_the_kernel_cannot_read_is_refused_with_its_text(word):
    with pytest.raises(Unsupported, match="cannot be given this argument on its command line: ") as caught:
        cmdline(word)
    assert str(caught.value).endswith(word)


@pytest.mark.parametrize(
    ("args", "env", "message"),
    [
        (("x",) * 33, (), "at most 32 arguments, not 33"),
        ((), tuple(f"V{n}=x" for n in range(31)), "at most 32 variables on its command line, not 33"),
        (("x" * 2048,), (), "bytes long, over 2047"),
        ((), ("a.b=1",), "a dot in its name: a.b"),
        ((), ('A="',), "cannot be given this variable"),
    ],
)
def test_what_would_panic_the_kernel_or_get_lost_is_refused(args, env, message):
    with pytest.raises(Unsupported, match=message):
        cmdline(*args, env=env)


def test_as_many_words_as_the_kernel_takes_are_given():
    assert cmdline(*("x",) * 32, env=tuple(f"V{n}=x" for n in range(30))).count("x") == 62


def test_the_address_takes_the_place_of_a_variable():
    env = tuple(f"V{n}=x" for n in range(30))
    with pytest.raises(Unsupported, match="at most 31 variables"):
        cmdline(env=env, networks=(NETWORK,))


def test_a_program_is_needed():
    with pytest.raises(Unsupported, match="needs a program") as caught:
        describe(Facts(App(())))
    assert "CMD" in caught.value.hint


def test_its_only_disk_is_its_root():
    with pytest.raises(Unsupported, match="cannot mount its only disk at /data"):
        cmdline(root=Block("/disk0", "/data"))


def test_its_devices_are_named_and_need_no_pci():
    guest = describe(Facts(App(("x",)), (NETWORK,), Block("/disk0", format="qcow2")))
    assert guest.disks == (Disk("rootfs", "/disk0", format="qcow2"),)
    assert guest.nics == (Nic("net0", NETWORK),)
    assert NO_PCI in guest.wishes
