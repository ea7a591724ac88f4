# SPDX-License-Identifier: Apache-2.0
"""Rumprun: its JSON, which no JSON library writes."""

from __future__ import annotations

import pytest

from urunc.errors import Unsupported
from urunc.guests.rumprun import describe
from urunc.machine import App, Block, Disk, Facts, Network, Nic

NETWORK = Network("tap0", "02:00:00:00:00:01", "10.0.0.2", 24, "10.0.0.1", 1500)
NET = (
    '"net":{"if":"ukvmif0","cloner":"True","type":"inet","method":"static",'
    '"addr":"10.0.0.2","mask":"1","gw":"10.0.0.1"}'
)
BLK = '"blk":{"source":"etfs","path":"/dev/ld0a","fstype":"blk","mountpoint":"/data"}'


def cmdline(*args, env=(), **facts):
    return describe(Facts(App(args, env), **facts)).cmdline


def test_without_anything_it_is_the_command_alone():
    assert cmdline("redis", "-p", "1") == '{"cmdline":"redis -p 1"}'


def test_the_members_come_in_order_and_env_is_repeated():
    facts = {"networks": (NETWORK,), "root": Block("/disk0", "/data")}
    assert cmdline("redis", env=("A=1", "B=2"), **facts) == (
        f'{{"cmdline":"redis","env":"A=1","env":"B=2",{NET},{BLK}}}'
    )


def test_a_network_without_a_gateway_has_no_such_member():
    assert '"gw"' not in cmdline("x", networks=(NETWORK.replace(gateway=""),))


def test_html_is_not_escaped():
    assert cmdline("<&>", env=("A=<&>",)) == '{"cmdline":"<&>","env":"A=<&>"}'


@pytest.mark.parametrize(
    ("word", "spelling"), [("a b", "'a b'"), ("", "''"), ('q"x', 'q\\"x'), ("a\\b c", "'a\\\\b c'")]
)
def test_an_argument_survives_the_guest_s_scanner_and_splitter(word, spelling):
    assert cmdline(word) == f'{{"cmdline":"{spelling}"}}'


@pytest.mark.parametrize(
    ("args", "env", "message"),
    [
        (("it's",), (), "an argument with a single quote: it's"),
        (("x",), ('A="',), "a double quote or backslash: A"),
        (("x",), ("A=\\",), "a double quote or backslash: A"),
    ],
)
def test_what_its_scanner_cannot_carry_is_refused(args, env, message):
    with pytest.raises(Unsupported, match=message):
        cmdline(*args, env=env)


def test_it_cannot_mount_over_its_own_root():
    with pytest.raises(Unsupported, match="cannot mount its block image at /") as caught:
        cmdline("x", root=Block("/disk0"))
    assert "blkMntPoint" in caught.value.hint


def test_its_devices_have_its_names_or_those_of_the_image():
    root = Block("/disk0", "/data")
    guest = describe(Facts(App(("x",)), (NETWORK,), root))
    assert (guest.nics, guest.disks) == ((Nic("tap", NETWORK),), (Disk("rootfs", "/disk0"),))
    guest = describe(Facts(App(("x",)), (NETWORK,), root, solo5_net="n1", solo5_block="b1"))
    assert (guest.nics[0].name, guest.disks[0].name) == ("n1", "b1")
