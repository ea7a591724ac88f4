# SPDX-License-Identifier: Apache-2.0
"""A container's root as one file: what is kept, what is not, and what is in it."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from pathlib import Path

import pytest
from capabilities import program, require

from urunc.errors import HostError
from urunc.host import overlay, packing
from urunc_common.cpio import archive


@pytest.fixture(name="rootfs")
def rootfs_fixture(tmp_path, monkeypatch):
    """A root, and a cache of the test's own."""
    require("root")
    monkeypatch.setattr(packing, "CACHE", str(tmp_path / "cache"))
    rootfs = tmp_path / "rootfs"
    (rootfs / "etc").mkdir(parents=True)
    (rootfs / "etc/name").write_text("packed")
    (rootfs / "link").symlink_to("etc/name")
    return rootfs


@contextmanager
def overlaid(folder, lower):
    """An overlay over it, as a snapshotter mounts it."""
    for name in ("upper", "work", "merged"):
        (folder / name).mkdir(parents=True)
    options = f"lowerdir={lower},upperdir={folder}/upper,workdir={folder}/work"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, folder / "merged"], check=True)
    try:
        yield folder / "merged"
    finally:
        subprocess.run(["umount", folder / "merged"], check=True)


def test_what_an_overlay_shows_is_packed_once_for_all_its_containers(rootfs, tmp_path):
    found = []
    for name in ("one", "two"):
        with overlaid(tmp_path / name, rootfs) as merged:
            found.append(packing.pack(str(merged), "cpio"))
    assert found[0] == found[1]
    assert found[0].kept
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [found[0].path.rpartition("/")[2]]


def test_layers_that_were_made_anew_are_packed_anew(rootfs, tmp_path):
    with overlaid(tmp_path / "one", rootfs) as merged:
        first = packing.pack(str(merged), "cpio")
    rootfs.rename(tmp_path / "away")
    (rootfs / "etc").mkdir(parents=True)
    with overlaid(tmp_path / "two", rootfs) as merged:
        assert packing.pack(str(merged), "cpio").path != first.path


def test_a_container_that_has_written_something_is_packed_for_itself(rootfs, tmp_path):
    with overlaid(tmp_path / "one", rootfs) as merged:
        (merged / "new").write_text("x")
        found = packing.pack(str(merged), "cpio")
    assert not found.kept
    assert packing.pack(str(rootfs), "cpio").kept is False


def test_our_own_overlay_in_the_layer_is_nothing_that_was_written(rootfs, tmp_path):
    with overlaid(tmp_path / "one", rootfs) as merged:
        first = packing.pack(str(merged), "ext4")
        (merged / overlay.name("/disk0", "qcow2")).write_text("a disk's writes")
        assert packing.pack(str(merged), "ext4") == first


def test_a_disk_that_was_packed_before_is_the_containers_own(rootfs):
    (rootfs / overlay.name("/disk0", "raw")).write_bytes(b"disk")
    assert packing.pack(str(rootfs), "ext4") == packing.Packed(
        f"{rootfs}/{overlay.name('/disk0', 'raw')}", kept=True
    )


def test_an_archive_has_what_the_root_has(rootfs):
    content = Path(packing.pack(str(rootfs), "cpio").path).read_bytes()
    command = [program("cpio"), "-it", "--quiet"]
    listed = subprocess.run(command, input=content, capture_output=True, check=True)
    assert listed.stdout.split() == [b"etc", b"etc/name", b"link"]
    assert content[:6] == archive([])[:6]


@pytest.mark.parametrize("fmt", ["ext4", "ext2"])
def test_a_disk_has_what_the_root_has_and_room_for_more(rootfs, fmt):
    path = packing.pack(str(rootfs), fmt).path
    said = subprocess.run(
        [program("debugfs"), "-R", "cat /etc/name", path], capture_output=True, text=True, check=True
    )
    assert said.stdout == "packed"
    command = [program("dumpe2fs"), "-h", path]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    free = next(int(line.split()[-1]) for line in lines if line.startswith("Free blocks:"))
    assert free > 30000


def test_a_failure_leaves_nothing_in_the_cache(rootfs, tmp_path, monkeypatch):
    monkeypatch.setitem(packing._FEATURES, "ext4", ("-O", "no_such_feature"))
    with pytest.raises(HostError, match=r"mke2fs: .*no_such_feature"):
        packing.pack(str(rootfs), "ext4")
    assert list((tmp_path / "cache").iterdir()) == []
