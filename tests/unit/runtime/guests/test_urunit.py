# SPDX-License-Identifier: Apache-2.0
"""Images for urunit: the literal command line, words as the kernel reads them back, and urunit's file."""

from __future__ import annotations

import pytest

from urunc.errors import Unsupported
from urunc.guests.linux import describe
from urunc.machine import DISK_NAMES, NO_PCI, PLACED, PORTS, App, Block, Facts, Initrd, Network, Share, Volume
from urunc_common import cpio

NETWORK = Network("tap0", "02:00:00:00:00:01", "10.0.0.2", 24, "10.0.0.1", 1500)
START = "panic=-1 console=ttyS0 quiet cryptomgr.notests"
CONFIG = "retain_initrd URUNIT_CONFIG=/sys/firmware/initrd"


def guest(*args, env=(), **facts):
    return describe(Facts(App(("/urunit", *args), env, cwd="/w", uid=7, gid=8), **facts))


@pytest.mark.parametrize(
    ("facts", "rest"),
    [
        ({}, f"{CONFIG} init=/urunit -- "),
        ({"root": Initrd("/initrd")}, "root=/dev/ram0 rw URUNIT_CONFIG=/urunit.conf rdinit=/urunit -- "),
        ({"root": Block("/disk0")}, f"root=/dev/vda rw {CONFIG} init=/urunit -- "),
        ({"root": Block("/disk0", readonly=True)}, f"root=/dev/vda ro {CONFIG} init=/urunit -- "),
        ({"root": Share("fs0")}, f"root=fs0 rw rootfstype=virtiofs {CONFIG} init=/urunit -- "),
        (
            {"root": Share("fs0", kind="9p")},
            "root=fs0 rw rootfstype=9p "
            "rootflags=trans=virtio,version=9p2000.L,msize=5000000,cache=mmap,posixacl "
            f"{CONFIG} init=/urunit -- ",
        ),
        (
            {"networks": (NETWORK,)},
            f"ip=10.0.0.2::10.0.0.1:255.255.255.0:urunc:eth0:off {CONFIG} init=/urunit -- ",
        ),
        (
            {"networks": (NETWORK.replace(gateway="10.0.1.1"),)},
            f"ip=10.0.0.2::10.0.1.1:255.255.255.0:urunc:eth0:off {CONFIG} URUNIT_DEFROUTE=1 init=/urunit -- ",
        ),
        (
            {"networks": (NETWORK.replace(gateway=""),)},
            f"ip=10.0.0.2:::255.255.255.0:urunc:eth0:off {CONFIG} init=/urunit -- ",
        ),
    ],
)
def test_the_command_line_is_the_one_that_urunit_knows(facts, rest):
    assert guest(**facts).cmdline == f"{START} {rest}"


def test_urunit_talks_on_the_console():
    assert guest(offers=frozenset({PORTS})).wishes == {NO_PCI}
    assert "loglevel" not in guest(offers=frozenset({PORTS})).cmdline


def test_urunit_finds_the_environment_the_user_and_the_directory_in_its_file():
    text = b"UES\nA=1\nB=x y\nUEE\nUCS\nUID:7\nGID:8\nWD:/w\nUCE\nUBS\nUBE\n"
    assert guest(env=("A=1", "B=x y"), root=Block("/disk0")).files[0].content == text


@pytest.mark.parametrize(
    ("offers", "root", "name"),
    [
        ({DISK_NAMES}, Initrd("/initrd"), b"annot_vol"),
        ({DISK_NAMES}, Block("/disk0"), b"annot_vol"),
        ((), Block("/disk0"), b"FCannot_vol"),
    ],
)
def test_urunit_mounts_a_further_disk(offers, root, name):
    found = guest(root=root, extra=Block("/disk1", "/data"), offers=frozenset(offers))
    assert b"UBS\nID:%s\nMP:/data\nUBE\n" % name in found.files[0].content


def test_urunit_does_not_find_a_further_disk_by_order_without_a_first():
    with pytest.raises(Unsupported, match="urunit would not find the block image"):
        guest(root=Initrd("/initrd"), extra=Block("/disk1", "/data"))


def test_copies_come_behind_the_file_in_an_initrd():
    copies = (cpio.File("/data/file", b"copied"),)
    volumes = (Volume(PLACED, "/data/file", "/data/file"),)
    (file,) = guest(root=Initrd("/initrd"), copies=copies, volumes=volumes).files
    order = [file.content.index(word) for word in (b"urunit.conf\0", b"data/file\0", b"copied")]
    assert order == sorted(order)
    assert file.covers == ()


def test_in_an_initrd_the_file_is_an_archive_of_its_own():
    (file,) = guest(root=Initrd("/initrd")).files
    assert file.content.startswith(b"070701")
    assert b"urunit.conf\0" in file.content


@pytest.mark.parametrize("variable", ["A=1\n2", "UEE=1"])
def test_a_variable_that_would_end_the_list_is_refused(variable):
    with pytest.raises(Unsupported, match="cannot be given this variable"):
        guest(env=(variable,))


@pytest.mark.parametrize(
    ("argument", "spelling"),
    [
        ("plain", "plain"),
        ("a b", "'a b'"),
        ("", '""'),
        ('{"a":1}', '{"a":1}'),
        ('"q"', '""q""'),
        ("it's so", '"it\'s so"'),
        ("back\\slash", "back\\slash"),
        ("à", '"à"'),
        ("=", "="),
        ("tab\tx", '"tab\tx"'),
    ],
)
def test_an_argument_is_spelt_as_it_is_read_back(argument, spelling):
    assert guest(argument).cmdline.endswith(f"-- {spelling}")


@pytest.mark.parametrize("argument", ['"', "--"])
def test_an_argument_that_cannot_be_read_back_is_refused_with_its_text(argument):
    with pytest.raises(Unsupported, match="cannot be given this word") as caught:
        guest(argument)
    assert argument in str(caught.value)


@pytest.mark.parametrize(
    ("args", "message"),
    [(("x",) * 33, "at most 32 arguments, not 33"), (("x" * 2000,), "bytes long, over 2047")],
)
def test_what_would_panic_the_kernel_or_get_lost_is_refused(args, message):
    with pytest.raises(Unsupported, match=message):
        guest(*args)


def test_as_many_words_as_the_kernel_takes_are_given():
    assert guest(*["x"] * 32).cmdline.endswith("-- " + " ".join(["x"] * 32))
