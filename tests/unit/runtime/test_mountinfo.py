# SPDX-License-Identifier: Apache-2.0
"""mountinfo as text."""

from __future__ import annotations

from urunc import mountinfo

TEXT = r"""36 35 98:0 /mnt1 /a\040b rw,noatime master:1 shared:7 - ext3 /dev/root rw,errors=continue
40 36 0:44 / /run/c/rootfs rw - overlay overlay rw,lowerdir=/l
41 36 253:3 / /run/c/rootfs ro,nodev - ext4 /dev/mapper/pool-snap-1 rw,stripe=16
"""


def test_fields_stand_before_and_behind_the_dash_whatever_is_between():
    first = mountinfo.parse(TEXT)[0]
    assert (first.device, first.root, first.mount_point) == ("98:0", "/mnt1", "/a b")
    assert (first.fstype, first.source, first.super_options) == (
        "ext3",
        "/dev/root",
        ("rw", "errors=continue"),
    )
    assert first.options == ("rw", "noatime")


def test_the_last_mount_at_a_path_is_the_one_that_is_seen():
    mounts = mountinfo.parse(TEXT)
    assert mountinfo.at(mounts, "/run/c/rootfs") == mounts[2]
    assert mountinfo.at(mounts, "/run/c") is None
