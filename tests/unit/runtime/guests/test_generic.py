# SPDX-License-Identifier: Apache-2.0
"""Generic guests: nothing is added."""

from __future__ import annotations

from urunc.guests.generic import describe
from urunc.machine import App, Block, Disk, Facts, Initrd, Network, Nic

NETWORK = Network("tap0", "02:00:00:00:00:01", "10.0.0.2", 24, "10.0.0.1", 1500)


def test_the_command_line_is_the_arguments():
    guest = describe(Facts(App(("hello", "a b", "it's"), ("A=1",)), (NETWORK,)))
    assert guest.cmdline == "hello a b it's"
    assert guest.nics == (Nic("net0", NETWORK),)


def test_no_arguments_are_an_empty_command_line():
    assert describe(Facts(App(()))).cmdline == ""


def test_its_root_is_attached_as_it_is():
    assert describe(Facts(App(()), (), Initrd("/initrd"))).initrd == "/initrd"
    assert describe(Facts(App(()), (), Block("/disk0"))).disks == (Disk("disk0", "/disk0"),)


def test_on_solo5_the_image_may_name_its_devices():
    guest = describe(Facts(App(()), (NETWORK,), Block("/disk0"), solo5_net="n1", solo5_block="b1"))
    assert (guest.nics[0].name, guest.disks[0].name) == ("n1", "b1")
