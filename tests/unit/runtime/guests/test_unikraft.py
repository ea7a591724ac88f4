# SPDX-License-Identifier: Apache-2.0
"""Unikraft: both dialects, byte for byte."""

from __future__ import annotations

import pytest

from urunc.errors import Unsupported
from urunc.guests.unikraft import describe
from urunc.machine import NINEP, PLACED, App, Facts, File, Initrd, Network, Nic, Share, Volume
from urunc_common import cpio
from urunc_common.cpio import Directory, archive

NETWORK = Network("tap0", "02:00:00:00:00:01", "10.0.0.2", 16, "10.0.0.1", 1500)
NEW = (
    "Unikraft  env.vars=[ A=1 B=2 ] netdev.ip=10.0.0.2/16:10.0.0.1:8.8.8.8   "
    'vfs.fstab=[ "initrd0:/:extract:::" ] -- app x'
)
OLD = (
    "Unikraft   netdev.ipv4_addr=10.0.0.2 netdev.ipv4_gw_addr=10.0.0.1 "
    "netdev.ipv4_subnet_mask=255.255.0.0 vfs.rootfs=initrd -- app x"
)


def cmdline(*args, env=(), **facts):
    return describe(Facts(App(args, env), **facts)).cmdline


@pytest.mark.parametrize("version", ["", "0.16.1", "v0.16.1", "0.17", "1", "0.16.2-rc1", "stable"])
def test_since_0_16_1_the_parameters_have_their_new_names(version):
    facts = {"networks": (NETWORK,), "root": Initrd("/initrd"), "version": version}
    assert cmdline("app", "x", env=("A=1", "B=2"), **facts) == NEW


@pytest.mark.parametrize("version", ["0.16.0", "v0.15", "0.9.3+local", "0.16"])
def test_before_0_16_1_they_have_the_old_ones_and_no_environment(version):
    facts = {"networks": (NETWORK,), "root": Initrd("/initrd"), "version": version}
    assert cmdline("app", "x", env=("A=1", "B=2"), **facts) == OLD


@pytest.mark.parametrize("version", ["", "0.15.0"])
def test_what_is_not_there_leaves_its_space(version):
    assert cmdline("app", version=version) == "Unikraft       -- app"


def test_arm_is_told_its_console():
    assert cmdline("app", arch="aarch64").startswith("Unikraft console=ttyS0 ")


@pytest.mark.parametrize(
    ("word", "spelling"),
    [
        ("a b", "'a b'"),
        ("it's", "'it'\"'\"'s'"),
        ('say "x"', "'say \"x\"'"),
        ("a\\b", "'a\\b'"),
        ("--x=1", "--x=1"),
    ],
)
def test_a_word_is_quoted_where_the_guest_would_split_it(word, spelling):
    assert cmdline("app", word).endswith(f" -- app {spelling}")


def test_a_variable_is_quoted_alike():
    assert " env.vars=[ A=1 'B=x y' ] " in cmdline("app", env=("A=1", "B=x y"))


def test_an_empty_argument_is_refused():
    with pytest.raises(Unsupported, match="a unikraft unikernel cannot be given an empty argument"):
        cmdline("app", "")


def test_its_devices():
    guest = describe(Facts(App(("app",)), (NETWORK,), Initrd("/initrd")))
    assert (guest.initrd, guest.nics, guest.disks) == ("/initrd", (Nic("net0", NETWORK),), ())


def test_the_container_s_root_is_mounted_by_9p():
    share = Share("fs0", kind=NINEP)
    guest = describe(Facts(App(("app",)), root=share))
    assert guest.cmdline == 'Unikraft      vfs.fstab=[ "fs0:/:9pfs:::" ] -- app'
    assert guest.shares == (share,)


@pytest.mark.parametrize(
    ("root", "version", "message"),
    [
        (Share("fs0"), "", "by 9p, not by virtiofs"),
        (Share("fs0", kind=NINEP), "0.15.0", "before 0.16.1 cannot mount the container's root"),
    ],
)
def test_a_root_that_it_cannot_mount_is_refused(root, version, message):
    with pytest.raises(Unsupported, match=message):
        cmdline("app", root=root, version=version)


@pytest.mark.parametrize("version", ["", "0.15.0"])
def test_a_network_without_an_address_of_ipv4_is_not_told(version):
    assert "netdev" not in cmdline("app", networks=(NETWORK.replace(address=""),), version=version)


def test_the_container_s_first_name_server_of_ipv4_is_told():
    app = App(("app",), nameservers=("fd00::1", "10.0.0.53", "10.0.0.54"))
    assert ":10.0.0.1:10.0.0.53 " in describe(Facts(app, (NETWORK,))).cmdline


def test_copies_go_on_with_its_archive_and_cover_what_is_there():
    volumes = (Volume(PLACED, "/data", "/data"),)
    copies = (Directory("/data"), cpio.File("/data/file", b"x"))
    facts = Facts(App(("app",)), root=Initrd("/initrd"), volumes=volumes, copies=copies)
    assert describe(facts).files == (File("/initrd", archive(copies, parents=False), ("/data",)),)
    assert describe(facts.replace(volumes=(), copies=())).files == ()
