# SPDX-License-Identifier: Apache-2.0
"""How bind mounts reach each kind of guest."""

from __future__ import annotations

import pytest

from urunc import monitors, volumes
from urunc.bundle import Bind
from urunc.errors import Unsupported
from urunc.machine import COMPRESSED, EXT, NEWC, PLACED, Block, Initrd, Share, Volume
from urunc.volumes import Found
from urunc_common.config import UnikernelConfig


@pytest.fixture(autouse=True)
def _every_share(monkeypatch):
    """As if QEMU could do both; which it can is not decided here."""
    monkeypatch.setattr(monitors.load("qemu"), "OFFERS", frozenset({"virtiofs", "9p"}))


DATA, FILE = Bind("/srv/data", "/data"), Bind("/run/resolv.conf", "/etc/resolv.conf", readonly=True)
ROOT = Share("fs0")
URUNIT = ("/urunit", "app")


def decide(*binds, guest="linux", monitor="qemu", root=None, virtiofsd=True, **found):
    config = UnikernelConfig(guest, monitor, "/kernel")
    return volumes.decide(
        [(bind, bind is DATA) for bind in binds], Found(config, root, virtiofsd=virtiofsd, **found)
    )


@pytest.mark.parametrize(
    ("options", "data", "file"),
    [
        ({}, ("virtiofs", "volumes/0"), ("copy", "/.urunc/volumes/1")),
        ({"root": Initrd("/i")}, ("virtiofs", "volumes/0"), ("copy", "/.urunc/volumes/1")),
        ({"virtiofsd": False}, ("9p", "volumes/0"), ("copy", "/.urunc/volumes/1")),
        ({"wanted": "copy"}, ("copy", "/.urunc/volumes/0"), ("copy", "/.urunc/volumes/1")),
        ({"monitor": "firecracker"}, ("copy", "/.urunc/volumes/0"), ("copy", "/.urunc/volumes/1")),
        ({"root": ROOT}, ("within", ""), ("within", "")),
        ({"root": ROOT, "guest": "unikraft"}, ("within", ""), ("within", "")),
        ({"root": ROOT, "args": URUNIT}, ("within", ""), ("within", "")),
    ],
)
def test_a_volume_reaches_the_guest_as_a_share_or_a_copy(options, data, file):
    found = decide(DATA, FILE, **options)
    assert [one.volume for one in found] == [
        Volume(*data, "/data"),
        Volume(*file, "/etc/resolv.conf", readonly=True),
    ]


@pytest.mark.parametrize(
    ("guest", "form", "args"),
    [
        ("unikraft", NEWC, ()),
        ("linux", NEWC, URUNIT),
        ("linux", COMPRESSED, URUNIT),
        ("linux", EXT, URUNIT),
        ("rumprun", EXT, ()),
    ],
)
def test_a_guest_that_mounts_nothing_itself_has_copies_in_its_root(guest, form, args):
    found = decide(DATA, FILE, guest=guest, root=Initrd("/i"), format=form, args=args)
    assert [one.volume for one in found] == [
        Volume(PLACED, "/data", "/data"),
        Volume(PLACED, "/etc/resolv.conf", "/etc/resolv.conf", readonly=True),
    ]
    assert found[0].notice == "the guest gets a copy of /srv/data at /data, as it is now"


def test_a_copy_lies_on_the_disk_where_the_guest_finds_it_below_its_mount_point():
    (found,) = decide(Bind("/x", "/data/conf"), guest="rumprun", root=Block("/d"), format=EXT, below="/data")
    assert found.volume == Volume(PLACED, "/conf", "/data/conf")
    for target in ("/data", "/database", "/conf"):
        with pytest.raises(Unsupported, match="has no way to it"):
            decide(Bind("/x", target), guest="rumprun", root=Block("/d"), format=EXT, below="/data")


def test_a_copied_directory_is_said_to_be_one():
    (found,) = decide(DATA, monitor="firecracker")
    assert found.notice == "the guest gets a copy of /srv/data at /data, as it is now"
    assert decide(DATA)[0].notice == ""


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({}, "live: shared by virtiofs"),
        ({"virtiofsd": False}, "live: shared by 9p; virtiofsd is not installed"),
        ({"wanted": "9p"}, "9p is asked for"),
        ({"monitor": "firecracker"}, "a copy in the guest's memory: the monitor has no virtiofs, and no 9p"),
        ({"monitor": "cloud-hypervisor", "virtiofsd": False},
         "a copy in the guest's memory: virtiofsd is not installed, and no 9p"),
        ({"root": ROOT}, "live: the root is shared by virtiofs, and has it in it"),
    ],
)  # fmt: skip
def test_each_volume_has_its_reason(options, reason):
    assert decide(DATA, **options)[0].reason == reason


@pytest.mark.parametrize("target", ["/dev", "/dev/shm", "/proc/acpi", "/sys/fs/cgroup"])
def test_what_a_guest_has_of_its_own_is_left_out_with_a_word(target):
    (found,) = decide(Bind("/x", target))
    assert found.volume is None
    assert target in found.notice
    assert decide(Bind("/x", "/devices"))[0].volume


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        ({"guest": "mirage", "root": Block("/d")}, "put the files into the image"),
        ({"guest": "osv", "root": Block("/d")}, "with mountRootfs and no other root it is shared"),
        ({"guest": "unikraft", "root": Initrd("/i"), "format": COMPRESSED}, "is a cpio archive, not compr"),
        ({"guest": "unikraft"}, "with mountRootfs and no other root it is shared"),
        ({"guest": "unikraft", "root": Initrd("/i"), "format": NEWC, "wanted": "virtiofs"}, "cpio"),
        ({"args": URUNIT, "root": Block("/d"), "format": ""}, "with mountRootfs"),
    ],
)
def test_a_volume_that_cannot_be_is_refused_with_what_can(options, hint):
    with pytest.raises(Unsupported, match="the volume /srv/data cannot be had at /data: ") as caught:
        decide(DATA, **options)
    assert hint in caught.value.hint


@pytest.mark.parametrize("target", ["/etc/hosts", "/run/secrets/kubernetes.io/serviceaccount"])
def test_what_engines_mount_into_every_container_keeps_no_guest_from_booting(target):
    (found,) = decide(Bind("/x", target), guest="mirage")
    assert found.volume is None
    assert "is left out: a mirage unikernel has no way to it" in found.notice


def test_all_volumes_together_are_one_share_beside_the_root():
    found = decide(DATA, Bind("/b", "/b"), FILE)
    assert volumes.shares(None, found) == (Share("volumes", "/volumes", "virtiofs"),)
    assert volumes.shares(ROOT, decide(DATA, root=ROOT)) == (ROOT,)
    assert volumes.shares(None, decide(FILE)) == ()
