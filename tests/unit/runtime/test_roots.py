# SPDX-License-Identifier: Apache-2.0
"""What becomes the guest's root, in which order, and why."""

from __future__ import annotations

import pytest

from urunc import monitors, roots
from urunc.errors import Unsupported
from urunc.machine import Block, Initrd, Share
from urunc.roots import Candidates, Choice
from urunc_common.config import UnikernelConfig

ALL = Candidates(device="/dev/dm-3", fstype="ext4", virtiofsd=True, mke2fs=True)
NONE = Candidates()


@pytest.fixture(autouse=True)
def _every_share(monkeypatch):
    """As if QEMU could do both; which it can is not decided here."""
    monkeypatch.setattr(monitors.load("qemu"), "OFFERS", frozenset({"virtiofs", "9p"}))


def config(guest="linux", hypervisor="qemu", **fields):
    return UnikernelConfig(guest, hypervisor, "/boot/kernel", **fields)


def disk(path, mount_point="/", **fields):
    return {"block": path, "block_mount_point": mount_point, **fields}


@pytest.mark.parametrize(
    ("image", "readonly", "root", "boot"),
    [
        (config(), False, None, ""),
        (config(initrd="/i"), False, Initrd("/i"), ""),
        (config(**disk("/d")), False, Block("/d", "/", format="qcow2"), ""),
        (config(**disk("/d")), True, Block("/d", "/", readonly=True), ""),
        (config("mirage", "hvt", **disk("/d", "/x")), False, Block("/d", "/x"), ""),
        (config("rumprun", "spt", **disk("/d", "/data")), False, Block("/d", "/data"), ""),
        (config("generic", initrd="/i", mount_rootfs=True), False, Initrd("/i"), ""),
        (config(initrd="/i", **disk("/d")), False, Block("/d", "/", format="qcow2"), "/i"),
        (config(initrd="/i", mount_rootfs=True), False, Share("fs0"), "/i"),
    ],
)
def test_what_the_image_brings_comes_first(image, readonly, root, boot):
    choice = roots.choose(image, Candidates(virtiofsd=True), readonly=readonly)
    assert (choice.root, choice.boot) == (root, boot)


@pytest.mark.parametrize(
    ("guest", "found", "wanted", "root", "packed"),
    [
        ("linux", ALL, "", Block("/dev/dm-3"), ""),
        ("linux", ALL.replace(fstype="xfs"), "", Share("fs0"), ""),
        ("linux", ALL, "virtiofs", Share("fs0"), ""),
        ("linux", NONE, "", Share("fs0", kind="9p"), ""),
        ("linux", ALL, "packed", Block("", format="qcow2"), "ext4"),
        ("unikraft", ALL, "", Share("fs0", kind="9p"), ""),
        ("unikraft", ALL, "packed", Initrd(""), "cpio"),
    ],
)
def test_the_containers_root_is_given_in_the_first_way_that_works(guest, found, wanted, root, packed):
    choice = roots.choose(config(guest, mount_rootfs=True), found, wanted=wanted)
    assert (choice.root, choice.packed) == (root, packed)


def test_a_guest_that_mounts_nothing_gets_an_image_where_it_can_have_it():
    image = config("rumprun", "hvt", mount_rootfs=True)
    assert roots.choose(image, ALL).root == Block("", "/data")
    assert roots.choose(image, ALL.replace(fstype="ext2")).root == Block("/dev/dm-3", "/data")


@pytest.mark.parametrize(
    ("image", "found", "root"),
    [
        (config(initrd="/i", **disk("/d", "/data")), NONE, Initrd("/i")),
        (config(**disk("/d", "/data", mount_rootfs=True)), ALL, Share("fs0")),
        (config(**disk("/d", "/data")), ALL, None),
    ],
)
def test_a_block_image_beside_another_root_is_a_further_disk(image, found, root):
    choice = roots.choose(image, found)
    assert (choice.root, choice.extra) == (root, Block("/d", "/data", format="qcow2"))
    assert choice.reason.endswith("; its block image is a further disk, at /data")
    assert roots.choose(image, found, readonly=True).extra == Block("/d", "/data", readonly=True)
    assert roots.choose(config(**disk("/d")), found).extra is None


def test_the_choice_says_what_stood_in_the_way_of_what_comes_before():
    reason = roots.choose(config(mount_rootfs=True), NONE).reason
    assert reason == (
        "the container's root by 9p; not by device: its snapshotter gives it no block device of its own; "
        "not by virtiofs: virtiofsd is not installed"
    )
    assert roots.choose(config(), NONE) == Choice(None, reason="the image names no root")


@pytest.mark.parametrize(
    ("image", "message", "hint"),
    [
        (config("unikraft", **disk("/d")), "a unikraft unikernel cannot use a block image", "an initrd or"),
        (config("mirage", initrd="/i"), "a mirage unikernel cannot use an initrd", "a block image"),
        (config("rumprun", "hvt", initrd="/i"), "a rumprun unikernel cannot use an initrd", "a block image"),
        (config("generic", initrd="/i", **disk("/d")), "an initrd and a block image", "keep one"),
        (config("mirage", "hvt", mount_rootfs=True), "cannot have the container's root", "not by packed"),
    ],
)
def test_a_root_that_cannot_be_is_refused_with_what_can(image, message, hint):
    with pytest.raises(Unsupported, match=message) as caught:
        roots.choose(image, ALL)
    assert hint in caught.value.hint


def test_what_is_asked_for_is_never_replaced_by_something_else():
    with pytest.raises(Unsupported) as caught:
        roots.choose(config("unikraft", mount_rootfs=True), ALL, wanted="virtiofs")
    assert "not by virtiofs: the guest does not know it" in caught.value.hint
    assert "not by 9p: virtiofs is asked for" in caught.value.hint
