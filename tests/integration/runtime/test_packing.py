# SPDX-License-Identifier: Apache-2.0
"""A container's root as one file: what is kept, what is not, and what is in it."""

from __future__ import annotations

import os
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

import pytest
from capabilities import program, require

from urunc.errors import HostError
from urunc.host import cache, overlay, packing
from urunc.host.packing import Packed
from urunc_common.cpio import archive


@pytest.fixture(name="rootfs")
def rootfs_fixture(tmp_path, monkeypatch):
    """A root, and a cache of the test's own."""
    require("root")
    monkeypatch.setattr(cache, "DIRECTORY", str(tmp_path / "cache"))
    rootfs = tmp_path / "rootfs"
    (rootfs / "etc").mkdir(parents=True)
    (rootfs / "etc/name").write_text("packed")
    (rootfs / "link").symlink_to("etc/name")
    return rootfs


LARGE = 1 << 30


def pack(rootfs, fmt, limit=LARGE):
    return packing.pack(str(rootfs), fmt, limit)


def kept():
    """What nobody has locked, and why it serves nobody any more."""
    return {Path(entry.path).name: entry.reason for entry in cache.entries()}


def in_child(work):
    """Run it in a process of its own, whose locks end with it; whether it went well."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        finally:
            os._exit(code)
    return child


def wait(*children):
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


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
            found.append(pack(merged, "cpio"))
    assert found[0] == found[1]
    assert found[0].kept
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [Path(found[0].path).parent.name]


def test_layers_that_were_made_anew_are_packed_anew(rootfs, tmp_path):
    with overlaid(tmp_path / "one", rootfs) as merged:
        first = pack(merged, "cpio")
    rootfs.rename(tmp_path / "away")
    (rootfs / "etc").mkdir(parents=True)
    with overlaid(tmp_path / "two", rootfs) as merged:
        assert pack(merged, "cpio").path != first.path


def test_a_container_that_has_written_something_is_packed_for_itself(rootfs, tmp_path):
    with overlaid(tmp_path / "one", rootfs) as merged:
        (merged / "new").write_text("x")
        found = pack(merged, "cpio")
    assert not found.kept
    assert pack(rootfs, "cpio").kept is False


def test_our_own_overlay_in_the_layer_is_nothing_that_was_written(rootfs, tmp_path):
    with overlaid(tmp_path / "one", rootfs) as merged:
        first = pack(merged, "ext4")
        (merged / overlay.name("/disk0", "qcow2")).write_text("a disk's writes")
        assert pack(merged, "ext4") == first


def test_a_disk_that_was_packed_before_is_the_containers_own(rootfs):
    (rootfs / overlay.name("/disk0", "raw")).write_bytes(b"disk")
    assert pack(rootfs, "ext4") == Packed(f"{rootfs}/{overlay.name('/disk0', 'raw')}", kept=True)


def test_an_archive_has_what_the_root_has(rootfs):
    content = Path(pack(rootfs, "cpio").path).read_bytes()
    command = [program("cpio"), "-it", "--quiet"]
    listed = subprocess.run(command, input=content, capture_output=True, check=True)
    assert listed.stdout.split() == [b"etc", b"etc/name", b"link"]
    assert content[:6] == archive([])[:6]


@pytest.mark.parametrize("fmt", ["ext4", "ext2"])
def test_a_disk_has_what_the_root_has_and_room_for_more(rootfs, fmt):
    path = pack(rootfs, fmt).path
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
        pack(rootfs, "ext4")
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_root_whose_image_is_gone_serves_nobody_and_goes(rootfs, tmp_path):
    with overlaid(tmp_path / "one", rootfs) as merged:
        assert wait(in_child(lambda: pack(merged, "cpio"))) == [0]
    assert list(kept().values()) == [""]
    rootfs.rename(tmp_path / "away")
    assert list(kept().values()) == ["whose image is gone"]
    (entry,) = cache.entries()
    assert cache.remove(entry.path)
    assert list((tmp_path / "cache").iterdir()) == []


def test_what_a_container_is_just_using_stays(rootfs, tmp_path):
    with overlaid(tmp_path / "one", rootfs) as merged:
        found = Path(pack(merged, "cpio").path)  # this process holds the lock
    rootfs.rename(tmp_path / "away")
    assert kept() == {}
    assert not cache.remove(str(found.parent))
    assert found.exists()


def test_what_a_container_has_written_over_stays(rootfs, tmp_path):
    with overlaid(tmp_path / "one", rootfs) as merged:
        assert wait(in_child(lambda: pack(merged, "ext4"))) == [0]
        own = merged / overlay.name("/disk0", "qcow2")
        own.write_text("a disk's writes")
    (tmp_path / "other").mkdir()
    with overlaid(tmp_path / "two", tmp_path / "other") as merged:
        wait(in_child(lambda: pack(merged, "cpio", 0)))
    (name,) = (name for name in kept() if name.endswith("ext4"))
    (tmp_path / "one/upper" / own.name).unlink()
    assert cache.remove(str(tmp_path / "cache" / name))


def test_a_disk_that_has_lost_what_it_is_based_on_is_not_put_over_another(rootfs, tmp_path):
    with overlaid(tmp_path / "one", rootfs) as merged:
        (merged / overlay.name("/disk0", "qcow2")).write_text("a disk's writes")
        with pytest.raises(HostError, match="the container's disk is based on: it is no longer in"):
            pack(merged, "ext4")


def test_a_new_one_makes_room_by_what_was_not_used_for_longest(rootfs, tmp_path):
    names = []
    for number in range(3):
        layer = tmp_path / f"layer{number}"
        layer.mkdir()
        (layer / "file").write_bytes(os.urandom(1 << 20))
        with overlaid(tmp_path / f"one{number}", layer) as merged:
            assert wait(in_child(lambda merged=merged: pack(merged, "cpio"))) == [0]
        (name,) = kept().keys() - names
        names.append(name)
        os.utime(tmp_path / "cache" / name / "image", (number, number))
    with overlaid(tmp_path / "again", tmp_path / "layer0") as merged:
        wait(in_child(lambda: pack(merged, "cpio")))  # which makes it the latest
    with overlaid(tmp_path / "last", rootfs) as merged:
        wait(in_child(lambda: pack(merged, "cpio", 2 << 20)))
    left = kept().keys()
    assert names[0] in left
    assert names[1] not in left


def test_nothing_is_kept_where_nothing_may_be(rootfs, tmp_path):
    with overlaid(tmp_path / "one", rootfs) as merged:
        assert Path(pack(merged, "cpio", 0).path).exists()


def test_a_crash_leaves_nothing_that_counts(rootfs, tmp_path, monkeypatch):
    monkeypatch.setattr(packing, "_fill", lambda *_: os._exit(7))
    with overlaid(tmp_path / "one", rootfs) as merged:
        assert wait(in_child(lambda: pack(merged, "cpio"))) == [7]
        assert list(kept().values()) == ["which was never finished"]
        monkeypatch.undo()
        monkeypatch.setattr(cache, "DIRECTORY", str(tmp_path / "cache"))
        assert wait(in_child(lambda: pack(merged, "cpio"))) == [0]
    assert list(kept().values()) == [""]


def test_a_file_of_one_container_is_no_leftover_while_that_is_made(rootfs, tmp_path):
    found = pack(rootfs, "cpio")
    assert kept() == {}
    cache.drop(found.path)
    assert list((tmp_path / "cache").iterdir()) == []


def test_many_at_once_find_a_file_each_while_others_make_room(rootfs, tmp_path):
    end = time.monotonic() + 2

    def clean():
        while time.monotonic() < end:
            for entry in cache.entries():
                cache.remove(entry.path)

    def use(merged):
        while time.monotonic() < end:
            child = in_child(lambda: check(pack(merged, "cpio", 0)))
            assert wait(child) == [0]

    def check(found):
        first = Path(found.path).read_bytes()
        time.sleep(0.002)
        assert Path(found.path).read_bytes() == first

    with overlaid(tmp_path / "one", rootfs) as one, overlaid(tmp_path / "two", rootfs) as two:
        children = [in_child(lambda root=root: use(root)) for root in (one, two) * 3]
        assert wait(*children, *(in_child(clean) for _ in range(2))) == [0] * 8
    assert set(kept().values()) <= {""}
