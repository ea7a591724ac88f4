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
