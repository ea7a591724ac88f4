# SPDX-License-Identifier: Apache-2.0
"""Volumes of guests that mount nothing themselves: what the monitor finds is unpacked, and looked at."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from capabilities import program, require

IMAGE = {
    "app": "program",
    "etc/hosts": "image",
    "etc/resolv.conf": "a longer one of the image\n",
    "data/old": "hidden by the volume",
    "run/app/conf": "image",
}


def write(folder, files):
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def pack(folder, *options):
    """An archive as the usual tools make it, with a dot in front of each name."""
    names = sorted(f"./{path.relative_to(folder)}" for path in folder.rglob("*"))
    command = [program("cpio"), "-o", "--quiet", "--format=newc", *options]
    return subprocess.run(
        command, cwd=folder, input="\n".join(names).encode(), capture_output=True, check=True
    ).stdout


@pytest.fixture(name="guest")
def guest_fixture(urunc, bundle, tmp_path):
    """A unikraft image with an initrd, on a monitor that only waits."""
    require("root")
    if not program("cpio"):
        pytest.skip("cpio is not installed")
    source = tmp_path / "source"
    write(source, IMAGE)
    (source / "tmp").mkdir(mode=0o700)
    (source / "var").mkdir()
    (source / "var/run").symlink_to("/run")
    (bundle.rootfs / "initrd").write_bytes(pack(source))
    bundle.image.update(unikernelType="unikraft", initrd="/initrd")
    return Guest(urunc, bundle, tmp_path)


class Guest:
    """One container, and what its root came to be."""

    def __init__(self, urunc, bundle, folder):
        self.urunc, self.bundle, self.folder = urunc, bundle, folder
        self.before = (bundle.rootfs / "initrd").read_bytes()
        bundle.config["mounts"] = []

    def bind(self, source, target, *options):
        self.bundle.config["mounts"].append(
            {"type": "bind", "source": str(source), "destination": target, "options": ["rbind", *options]}
        )

    def boot(self):
        """Its root, unpacked."""
        self.urunc.create(self.bundle)
        self.urunc("start", "c1")
        self.urunc.report()
        return self.unpack((Path("/proc") / str(self.urunc.state()["pid"]) / "root/initrd").read_bytes())

    def unpack(self, archive):
        folder = self.folder / "unpacked"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        done = subprocess.run(
            [program("cpio"), "-idu", "--quiet", "--no-absolute-filenames"],
            cwd=folder, input=archive, capture_output=True, check=True,
        )  # fmt: skip
        assert done.stderr == b""
        return folder


def names(folder):
    return sorted(
        str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_symlink() or not path.is_dir()
    )


def test_copies_are_in_the_one_archive_in_place_of_what_was_there(guest, tmp_path):
    write(tmp_path / "volume", {"new": "volume", "deep/er": "x"})
    (tmp_path / "resolv").write_text("short\n")
    guest.bind(tmp_path / "volume", "/data")
    guest.bind(tmp_path / "resolv", "/etc/resolv.conf", "ro")
    root = guest.boot()
    assert names(root) == [
        "app",
        "data/deep/er",
        "data/new",
        "etc/hosts",
        "etc/resolv.conf",
        "run/app/conf",
        "var/run",
    ]
    assert (root / "etc/resolv.conf").read_text() == "short\n"
    assert (root / "etc/hosts").read_text() == "image"
    assert stat.S_IMODE((root / "tmp").stat().st_mode) == 0o700
    assert (guest.bundle.rootfs / "initrd").read_bytes() == guest.before


def test_a_config_map_keeps_its_links(guest, tmp_path):
    write(tmp_path / "map/..2026", {"key": "value"})
    (tmp_path / "map/..data").symlink_to("..2026")
    (tmp_path / "map/key").symlink_to("..data/key")
    guest.bind(tmp_path / "map", "/etc/app", "ro")
    root = guest.boot()
    assert (root / "etc/app/key").read_text() == "value"
    assert os.readlink(root / "etc/app/..data") == "..2026"


def test_what_is_read_only_has_no_mode_to_write(guest, tmp_path):
    write(tmp_path / "volume", {"file": "x"})
    guest.bind(tmp_path / "volume", "/ro", "ro")
    guest.bind(tmp_path / "volume", "/rw")
    root = guest.boot()
    modes = {name: stat.S_IMODE((root / name / "file").stat().st_mode) for name in ("ro", "rw")}
    assert modes == {"ro": 0o444, "rw": 0o644}
    assert stat.S_IMODE((root / "ro").stat().st_mode) == 0o555


def test_a_target_below_a_link_is_replaced_where_the_link_leads(guest, tmp_path):
    (tmp_path / "conf").write_text("volume")
    guest.bind(tmp_path / "conf", "/var/run/app/conf")
    guest.urunc.create(guest.bundle)
    guest.urunc("start", "c1")
    guest.urunc.report()
    archive = Path("/proc") / str(guest.urunc.state()["pid"]) / "root/initrd"
    listed = subprocess.run(
        [program("cpio"), "-t", "--quiet"], input=archive.read_bytes(), capture_output=True, check=True
    )
    assert [name for name in listed.stdout.decode().split() if "conf" in name] == [
        "etc/resolv.conf", "var/run/app/conf",
    ]  # fmt: skip


def test_the_name_servers_are_those_of_the_start(guest, tmp_path):
    (tmp_path / "hosts").write_text("before")
    guest.bind(tmp_path / "hosts", "/etc/hosts")
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\necho after >{tmp_path}/hosts\n")
    hook.chmod(0o755)
    guest.bundle.config["hooks"] = {"createRuntime": [{"path": str(hook)}]}
    assert (guest.boot() / "etc/hosts").read_text() == "after\n"


def test_the_containers_root_that_is_packed_takes_them_too(guest, tmp_path):
    del guest.bundle.image["initrd"]
    guest.bundle.image["mountRootfs"] = "true"
    guest.bundle.config["annotations"] = {"run.urunc.root": "packed"}
    write(guest.bundle.rootfs, {"data/image": "x"})
    write(tmp_path / "volume", {"new": "volume"})
    guest.bind(tmp_path / "volume", "/data")
    root = guest.boot()
    assert names(root / "data") == ["new"]
    assert names(guest.bundle.rootfs / "data") == ["image"]


@pytest.mark.skipif(not Path("/dev/kvm").exists(), reason="Firecracker needs it")
def test_firecracker_has_the_same_archive(guest, tmp_path):
    guest.bundle.image["hypervisor"] = "firecracker"
    guest.urunc.install("firecracker")
    (tmp_path / "hosts").write_text("volume")
    guest.bind(tmp_path / "hosts", "/etc/hosts")
    assert (guest.boot() / "etc/hosts").read_text() == "volume"


def test_the_log_says_that_it_is_a_copy(guest, tmp_path):
    (tmp_path / "hosts").write_text("x")
    guest.bind(tmp_path / "hosts", "/etc/hosts")
    guest.boot()
    assert (
        f"the guest gets a copy of {tmp_path}/hosts at /etc/hosts, as it is now"
        in guest.urunc.log.read_text()
    )


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: data[:-200], "is no whole archive of cpio's format newc: "),
        (lambda data: b"070701" + data[6:200] + b"x" * 300, "there is no member at byte "),
    ],
)
def test_an_archive_that_is_not_whole_is_refused(guest, tmp_path, damage, message):
    (guest.bundle.rootfs / "initrd").write_bytes(damage(guest.before.rstrip(b"\0")))
    (tmp_path / "hosts").write_text("x")
    guest.bind(tmp_path / "hosts", "/etc/hosts")
    said = guest.urunc.said(guest.urunc.create(guest.bundle, check=False))
    assert "the initrd /initrd is no whole archive" in said
    assert message in said
    assert guest.urunc.leftovers() == []


def test_a_compressed_one_takes_none_and_says_so(guest, tmp_path):
    (guest.bundle.rootfs / "initrd").write_bytes(b"\x1f\x8b" + bytes(100))
    (tmp_path / "hosts").write_text("x")
    guest.bind(tmp_path / "hosts", "/etc/hosts")
    guest.urunc.create(guest.bundle)
    assert "at /etc/hosts is left out: a unikraft unikernel has no way to it" in guest.urunc.log.read_text()
    guest.urunc("delete", "--force", "c1")
    guest.bind(tmp_path / "hosts", "/data/file")
    said = guest.urunc.said(guest.urunc.create(guest.bundle, check=False))
    assert "cannot be had at /data/file" in said
    assert "an initrd that is a cpio archive, not compressed" in said


class Disk(Guest):
    """One whose root is a disk, which the monitor has open."""

    def __init__(self, urunc, bundle, folder):
        bundle.rootfs.joinpath("initrd").touch()
        super().__init__(urunc, bundle, folder)
        bundle.rootfs.joinpath("initrd").unlink()
        self.image = bundle.rootfs / "disk.ext2"
        write(folder / "source", IMAGE)
        make = [program("mke2fs"), "-q", "-t", "ext2", "-d", str(folder / "source"), str(self.image), "4M"]
        subprocess.run(make, check=True)
        bundle.image.update(
            unikernelType="rumprun", hypervisor="spt", block="/disk.ext2", blkMntPoint="/data"
        )
        urunc.install("spt")
        self.before = self.image.read_bytes()

    def boot(self):
        self.urunc.create(self.bundle)
        self.urunc("start", "c1")
        self.urunc.report()
        return Path("/proc") / str(self.urunc.state()["pid"]) / "root/disk0"


def on_disk(disk, path):
    """A file of it."""
    command = [program("debugfs"), "-R", f"cat {path}", str(disk)]
    return subprocess.run(command, capture_output=True, check=True, text=True).stdout


def mode_of(disk, path):
    command = [program("debugfs"), "-R", f"stat {path}", str(disk)]
    said = subprocess.run(command, capture_output=True, check=True, text=True).stdout
    return said.partition("Mode: ")[2].split()[0]


def is_sound(disk):
    return (
        subprocess.run([program("e2fsck"), "-fn", str(disk)], capture_output=True, check=False).returncode
        == 0
    )


@pytest.fixture(name="disk")
def disk_fixture(urunc, bundle, tmp_path):
    require("root")
    if not program("debugfs"):
        pytest.skip("e2fsprogs is not installed")
    return Disk(urunc, bundle, tmp_path)


def test_copies_are_put_into_a_copy_of_the_disk(disk, tmp_path):
    write(tmp_path / "volume", {"new": "volume", 'deep/a "name"': "x"})
    (tmp_path / "volume/link").symlink_to("new")
    (tmp_path / "conf").write_text("short")
    disk.bind(tmp_path / "volume", "/data/data", "ro")
    disk.bind(tmp_path / "conf", "/data/etc/resolv.conf")
    disk.bind(tmp_path / "conf", "/data/made/for/it")
    found = disk.boot()
    assert on_disk(found, "/data/new") == "volume"
    assert (mode_of(found, "/data/link"), mode_of(found, "/data/deep")) == ("0777", "0555")
    assert on_disk(found, '"/data/deep/a ""name"""') == "x"
    assert on_disk(found, "/data/old") == ""
    assert on_disk(found, "/etc/resolv.conf") == on_disk(found, "/made/for/it") == "short"
    assert on_disk(found, "/etc/hosts") == "image"
    assert (mode_of(found, "/data/new"), mode_of(found, "/etc/resolv.conf")) == ("0444", "0644")
    assert is_sound(found)
    assert disk.image.read_bytes() == disk.before


def test_they_are_new_at_each_start_and_what_the_guest_wrote_stays(disk, tmp_path):
    write(tmp_path / "volume", {"first": "1"})
    disk.bind(tmp_path / "volume", "/data/data")
    found = disk.boot()
    (tmp_path / "written").write_text("by the guest")
    command = [program("debugfs"), "-w", "-R", f"write {tmp_path}/written /written", str(found)]
    subprocess.run(command, capture_output=True, check=True)
    disk.urunc("delete", "--force", "c1")
    (tmp_path / "volume/first").rename(tmp_path / "volume/second")
    found = disk.boot()
    assert (on_disk(found, "/data/first"), on_disk(found, "/data/second")) == ("", "1")
    assert on_disk(found, "/written") == "by the guest"
    assert is_sound(found)


def test_the_disk_has_what_a_hook_has_written(disk, tmp_path):
    (tmp_path / "hosts").write_text("before")
    del disk.bundle.image["block"], disk.bundle.image["blkMntPoint"]
    disk.bundle.image["mountRootfs"] = "true"
    disk.bind(tmp_path / "hosts", "/etc/hosts")
    hook = tmp_path / "hook"
    hook.write_text(f"#!/bin/sh\necho after >{tmp_path}/hosts\n")
    hook.chmod(0o755)
    disk.bundle.config["hooks"] = {"createContainer": [{"path": str(hook)}]}
    assert on_disk(disk.boot(), "/etc/hosts") == "after\n"


def test_the_device_of_the_containers_root_takes_them_and_keeps_them(disk, tmp_path):
    bundle, image = disk.bundle, tmp_path / "device"
    bundle.image = {"unikernelType": "rumprun", "hypervisor": "spt", "binary": "/kernel.elf"}
    bundle.image["mountRootfs"] = "true"
    make = [program("mke2fs"), "-q", "-t", "ext2", "-d", str(bundle.rootfs), str(image), "8M"]
    subprocess.run(make, check=True)
    subprocess.run(["mount", "-o", "loop", image, bundle.rootfs], check=True)
    try:
        (tmp_path / "hosts").write_text("volume")
        disk.bind(tmp_path / "hosts", "/etc/hosts")
        assert on_disk(disk.boot(), "/etc/hosts") == "volume"
        assert not bundle.rootfs.is_mount()
        disk.urunc("delete", "--force", "c1")
        assert (bundle.rootfs / "etc/hosts").read_text() == "volume"
    finally:
        subprocess.run(["umount", bundle.rootfs], check=True)


def test_a_disk_of_linux_with_urunit_takes_them_too(disk, tmp_path):
    (disk.bundle.rootfs / "disk.ext2").rename(disk.bundle.rootfs / "root.ext2")
    disk.bundle.image.update(unikernelType="linux", hypervisor="qemu", block="/root.ext2", blkMntPoint="/")
    disk.bundle.config["process"]["args"] = ["/urunit", "wait"]
    (tmp_path / "hosts").write_text("volume")
    disk.bind(tmp_path / "hosts", "/etc/hosts")
    found = disk.boot()
    assert on_disk(found, "/etc/hosts") == "volume"
    assert "file=/disk0,format=raw" in " ".join(disk.urunc.report()["argv"])


def test_a_volume_beside_the_disk_is_refused(disk, tmp_path):
    disk.bind(tmp_path / "source", "/srv")
    said = disk.urunc.said(disk.urunc.create(disk.bundle, check=False))
    assert "cannot be had at /srv: a rumprun unikernel has no way to it" in said
    assert "a block image with ext2, ext3 or ext4, below where it is mounted" in said


def test_a_disk_without_room_is_said_to_be_one(disk, tmp_path):
    (tmp_path / "large").write_bytes(os.urandom(8 << 20))
    disk.bind(tmp_path / "large", "/data/large")
    said = disk.urunc.said(disk.urunc.create(disk.bundle, check=False))
    assert "put the copies of volumes into the guest's disk: " in said
    assert "Could not allocate block" in said
    assert disk.urunc.leftovers() == []


def test_a_damaged_disk_is_said_to_be_one(disk, tmp_path):
    with disk.image.open("r+b") as file:
        file.seek(1024 + 4)
        file.write(b"\xff" * 8)
    disk.bind(tmp_path / "source", "/data/x")
    said = disk.urunc.said(disk.urunc.create(disk.bundle, check=False))
    assert "put the copies of volumes into the guest's disk: its file system is damaged: " in said
    assert disk.urunc.leftovers() == []
