# SPDX-License-Identifier: Apache-2.0
"""OSv: the loader's options and the command, read back by what its parsers do."""

from __future__ import annotations

import re

import pytest

from urunc.errors import Unsupported
from urunc.guests.osv import describe
from urunc.machine import NINEP, App, Block, Disk, Facts, Network, Nic, Share

NETWORK = Network("tap0", "02:00:00:00:00:01", "10.0.0.2", 24, "10.0.0.1", 1500)
SECOND = Network("tap1", "02:00:00:00:00:02", "10.1.0.2", 16, "", 1500)


def cmdline(*args, env=(), cwd="/", **facts):
    return describe(Facts(App(args, env, cwd), **facts)).cmdline


@pytest.mark.parametrize(
    ("facts", "options"),
    [
        ({}, ""),
        ({"networks": (NETWORK,)}, "--ip=eth0,10.0.0.2,255.255.255.0 --defaultgw=10.0.0.1 "),
        (
            {"networks": (SECOND, NETWORK)},
            "--ip=eth0,10.1.0.2,255.255.0.0 --ip=eth1,10.0.0.2,255.255.255.0 --defaultgw=10.0.0.1 ",
        ),
        ({"networks": (SECOND,)}, "--ip=eth0,10.1.0.2,255.255.0.0 "),
        ({"networks": (NETWORK.replace(address=""),)}, ""),
        ({"root": Block("/disk0")}, ""),
        ({"root": Share("fs0")}, "--rootfs=virtiofs "),
        ({"cwd": "/a b"}, "--cwd=/a\\ b "),
        ({"env": ("A=1", "B=x y\\z")}, "--env=A=1 --env=B=x\\ y\\\\z "),
    ],
)
def test_the_loader_is_told(facts, options):
    assert cmdline("/app", "x", **facts) == f"{options}/app x"


def read(word):
    """A word in double quotes, as the grammar of core/commands.cc has it."""
    escapes = {"\\\\": "\\", '\\"': '"', "\\'": "'", "\\n": "\n", "\\t": "\t"}
    return re.sub(r"\\[\\\"'nt]", lambda found: escapes[found[0]], word[1:-1])


@pytest.mark.parametrize(
    "word", ["a b", "", 'say "x"', "a\\b", "it's", "a;b", "a&b", "!", "-x", "\\n", "a\nb"]
)
def test_an_argument_arrives_as_it_was_given(word):
    spelling = cmdline("/app", word).removeprefix("/app ")
    assert spelling[0] == spelling[-1] == '"'
    assert not re.search(r'(?<!\\)(\\\\)*"', spelling[1:-1]), "the quotes end before the word does"
    assert read(spelling) == word


@pytest.mark.parametrize("word", ["$HOME", "é"])
def test_an_argument_that_it_would_change_is_refused(word):
    with pytest.raises(Unsupported, match="cannot be given an argument with a dollar sign or beyond ASCII"):
        cmdline("/app", word)


@pytest.mark.parametrize(
    ("root", "message"),
    [
        (Block("/disk0", "/data"), "cannot mount its only disk at /data"),
        (Share("fs0", kind=NINEP), "mounts a shared directory by virtiofs, not by 9p"),
    ],
)
def test_a_root_that_it_cannot_mount_is_refused(root, message):
    with pytest.raises(Unsupported, match=message):
        cmdline("/app", root=root)


def test_its_devices():
    guest = describe(Facts(App(("/app",)), (NETWORK, SECOND), Block("/disk0", format="qcow2")))
    assert guest.disks == (Disk("rootfs", "/disk0", format="qcow2"),)
    assert guest.nics == (Nic("net0", NETWORK), Nic("net1", SECOND))
    share = Share("fs0")
    assert describe(Facts(App(("/app",)), root=share)).shares == (share,)
