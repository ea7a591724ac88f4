# SPDX-License-Identifier: Apache-2.0
"""How bind mounts reach each kind of guest."""

from __future__ import annotations

import pytest

from urunc import guests, monitors, volumes
from urunc.bundle import Bind
from urunc.machine import Initrd, Share, Volume


@pytest.fixture(autouse=True)
def _every_share(monkeypatch):
    """As if QEMU could do both; which it can is not decided here."""
    monkeypatch.setattr(monitors.load("qemu"), "OFFERS", frozenset({"virtiofs", "9p"}))


DATA, FILE = Bind("/srv/data", "/data"), Bind("/run/resolv.conf", "/etc/resolv.conf", readonly=True)
ROOT = Share("fs0")


def decide(*binds, guest="linux", monitor="qemu", root=None, virtiofsd=True):
    return volumes.decide(
        [(bind, bind is DATA) for bind in binds],
        root,
        guests.load(guest),
        monitors.load(monitor),
        virtiofsd=virtiofsd,
    )


@pytest.mark.parametrize(
    ("options", "data", "file"),
    [
        ({}, ("virtiofs", "volumes/0"), ("copy", "/.urunc/volumes/1")),
        ({"root": Initrd("/i")}, ("virtiofs", "volumes/0"), ("copy", "/.urunc/volumes/1")),
        ({"virtiofsd": False}, ("9p", "volumes/0"), ("copy", "/.urunc/volumes/1")),
        ({"monitor": "hvt"}, ("copy", "/.urunc/volumes/0"), ("copy", "/.urunc/volumes/1")),
        ({"root": ROOT}, ("within", ""), ("within", "")),
        ({"root": ROOT, "guest": "unikraft"}, ("within", ""), ("within", "")),
    ],
)
def test_a_volume_reaches_the_guest_as_a_share_or_a_copy(options, data, file):
    found = decide(DATA, FILE, **options)
    assert [one.volume for one in found] == [
        Volume(*data, "/data"),
        Volume(*file, "/etc/resolv.conf", readonly=True),
    ]


def test_a_copied_directory_is_said_to_be_one():
    (found,) = decide(DATA, monitor="hvt")
    assert found.notice == "the guest gets a copy of /srv/data at /data, as it is now"
    assert decide(DATA)[0].notice == ""


@pytest.mark.parametrize("target", ["/dev", "/dev/shm", "/proc/acpi", "/sys/fs/cgroup"])
def test_what_a_guest_has_of_its_own_is_left_out_with_a_word(target):
    (found,) = decide(Bind("/x", target))
    assert found.volume is None
    assert target in found.notice
    assert decide(Bind("/x", "/devices"))[0].volume


def test_a_guest_without_a_way_to_mount_anything_goes_without_and_that_is_said():
    (found,) = decide(DATA, guest="mirage")
    assert found.volume is None
    assert "does not reach" in found.notice


def test_all_volumes_together_are_one_share_beside_the_root():
    found = decide(DATA, Bind("/b", "/b"), FILE)
    assert volumes.shares(None, found) == (Share("volumes", "/volumes", "virtiofs"),)
    assert volumes.shares(ROOT, decide(DATA, root=ROOT)) == (ROOT,)
    assert volumes.shares(None, decide(FILE)) == ()
