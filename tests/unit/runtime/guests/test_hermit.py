# SPDX-License-Identifier: Apache-2.0
"""Hermit: options of its kernel, then the arguments, in a shell's quoting."""

from __future__ import annotations

import shlex

import pytest

from urunc.errors import Unsupported
from urunc.guests.hermit import describe
from urunc.machine import MODERN_VIRTIO, App, Facts, Initrd, Network, Nic

NETWORK = Network("tap0", "02:00:00:00:00:01", "10.0.0.2", 24, "10.0.0.1", 1500)
ADDRESS = "-ip 10.0.0.2 -mask 255.255.255.0 -gateway 10.0.0.1"


def cmdline(*args, env=(), **facts):
    return describe(Facts(App(args, env), root=Initrd("/initrd"), **facts)).cmdline


@pytest.mark.parametrize(
    ("args", "env", "networks", "expected"),
    [
        ((), (), (), ""),
        (("app", "x"), (), (), "-- app x"),
        (("app",), (), (NETWORK,), f"{ADDRESS} -- app"),
        (("app",), ("A=1", "B=x y"), (NETWORK,), f"{ADDRESS} env=A=1 'env=B=x y' -- app"),
        ((), (), (NETWORK.replace(mtu=1400),), f"{ADDRESS} env=HERMIT_MTU=1400"),
        ((), (), (NETWORK.replace(gateway="", prefix=8),), "-ip 10.0.0.2 -mask 255.0.0.0"),
        ((), (), (NETWORK.replace(address=""),), ""),
    ],
)
def test_the_kernel_is_told_the_address_and_the_environment(args, env, networks, expected):
    assert cmdline(*args, env=env, networks=networks) == expected


@pytest.mark.parametrize(
    "word", ["a b", "", "it's", 'say "x"', "a\\b", "#x", "$x", "`x`", "a\nb", "*", "~", "é", "--", "a&b;c"]
)
def test_words_arrive_as_they_were_given(word):
    assert shlex.split(cmdline("app", word, env=(f"A={word}",)), comments=True) == [
        f"env=A={word}",
        "--",
        "app",
        word,
    ]


def test_the_application_is_an_initrd_and_without_one_there_is_none():
    guest = describe(Facts(App(("app",)), (NETWORK,), Initrd("/initrd")))
    assert (guest.initrd, guest.nics, guest.quirks) == ("/initrd", (Nic("net0", NETWORK),), {MODERN_VIRTIO})
    with pytest.raises(Unsupported, match="needs the application as an initrd") as caught:
        describe(Facts(App(("app",))))
    assert "annotation initrd" in caught.value.hint
