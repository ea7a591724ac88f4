# SPDX-License-Identifier: Apache-2.0
"""The roots and the volumes of a Linux guest: disks, shares, and what the initramfs carries."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import linux_kernel
import pytest
from capabilities import program, require, virtiofsd
from e2e import linux_guest as guest
from e2e.waiting import eventually

from urunc_common import cpio
from urunc_common.cpio import Directory, File, Symlink
from urunc_common.guest import (
    BLOCK,
    COPY,
    TMPFS,
    VIRTIOFS,
    VOLUMES,
    GuestConfig,
    Mount,
    Root,
    init_file,
    initramfs,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from e2e.linux_guest import Result

    from urunc_common.cpio import Entry

pytestmark = pytest.mark.vm

CHECK = guest.script("""
echo "== root"; grep ' / ' /proc/mounts
echo "== mounts"; grep -v 'proc\\|sys\\|dev\\|rootfs' /proc/mounts
echo "== write"; touch /written 2>&1 && echo wrote
echo "== data"; cat /data/file; touch /data/new 2>&1
echo "== ro"; cat /ro/file; touch /ro/new 2>&1
echo "== copy"; cat /copied/deep/link; touch /copied/new 2>&1 && echo wrote
echo "== file"; cat "/etc/a file"; touch "/etc/a file" 2>&1
echo "== absolute"; cat /etc/linked /var/real
echo "== order"; ls -a /run /.urunc
echo "== initramfs"; for folder in /proc/1/fd/*; do [ -d $folder/.urunc ] && ls -A $folder/; done
""")
VOLUME = [
    Directory(f"{VOLUMES}/0"),
    File(f"{VOLUMES}/0/deep/file", b"copied\n"),
    Symlink(f"{VOLUMES}/0/deep/link", "file"),
    File(f"{VOLUMES}/1", b"one file\n"),
]
COPIES = (
    Mount(TMPFS, "", "/run"),
    Mount(COPY, f"{VOLUMES}/0", "/copied"),
    Mount(COPY, f"{VOLUMES}/0", "/run/inner", readonly=True),
    Mount(COPY, f"{VOLUMES}/1", "/etc/a file", readonly=True),
    Mount(COPY, f"{VOLUMES}/1", "/etc/linked", readonly=True),
)


@pytest.fixture(scope="module", autouse=True)
def _needs() -> None:
    require("qemu", "linux-kernel")


def unpack(entries: Iterable[Entry], folder: Path) -> Path:
    """The same files in a folder."""
    for entry in entries:
        path = folder / entry.path.strip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(entry, Directory):
            path.mkdir(exist_ok=True)
        elif isinstance(entry, Symlink):
            path.symlink_to(entry.target)
        else:
            path.write_bytes(entry.content)
        if not isinstance(entry, Symlink):
            path.chmod(entry.mode)
    return folder


def root_files(folder: Path) -> Path:
    """A root with a shell, in which /etc/linked leads elsewhere by an absolute link."""
    link = [Symlink("/etc/linked", "/var/real"), File("/var/real", b"image\n")]
    system = [Directory(f"/{name}") for name in ("dev", "proc", "sys", "run", "etc")]
    return unpack([*guest.busybox(), CHECK, *link, *system], folder)


def disk(folder: Path, name: str, serial: str, *options: str, readonly: bool = False) -> list[str]:
    """An ext4 image, and the device for it."""
    image = folder / f"{name}.img"
    subprocess.run(
        [str(program("mke2fs")), "-q", "-t", "ext4", *options, str(image), "24M"],
        check=True,
        capture_output=True,
    )
    return [
        "-drive", f"if=none,id={name},file={image},format=raw" + (",readonly=on" if readonly else ""),
        "-device", f"virtio-blk-device,drive={name},serial={serial}",
    ]  # fmt: skip


def files_on(image: Path) -> str:
    """The root directory of an ext4 image."""
    return subprocess.check_output([str(program("debugfs")), "-R", "ls", str(image)], text=True, stderr=-3)


def config(*mounts: Mount, root: Root | None = None) -> GuestConfig:
    """The program that looks around."""
    return GuestConfig(
        ("/check",), env=("PATH=/bin",), root=root, mounts=mounts, stdio="ports", report=guest.DEBUG_EXIT
    )


@pytest.fixture(scope="module")
def on_disk(tmp_path_factory: pytest.TempPathFactory) -> tuple[Result, Path]:
    """A guest whose root, and one volume, are disks."""
    folder = tmp_path_factory.mktemp("disk")
    data = unpack([File("/file", b"disk\n")], folder / "data")
    devices = [
        *disk(folder, "first", "vol1", "-d", str(data)),
        *disk(folder, "root", "rootfs", "-d", str(root_files(folder / "root"))),
        *disk(folder, "third", "a-serial-of-twenty-and-more", "-d", str(data), readonly=True),
    ]
    volumes = (
        Mount(BLOCK, "vol1", "/data"),
        Mount(BLOCK, "a-serial-of-twenty-and-more", "/ro", readonly=True),
    )
    orders = config(*volumes, *COPIES, root=Root(BLOCK, "rootfs"))
    return guest.boot(folder, orders, VOLUME, *devices), folder


def test_the_root_is_the_disk_with_the_serial(on_disk: tuple[Result, Path]) -> None:
    parts = on_disk[0].parts
    assert parts["root"].startswith("/dev/vd")
    assert " / ext4 rw" in parts["root"]
    assert parts["write"] == "wrote"
    assert parts["initramfs"] == ".urunc", "its memory is not free"
    assert on_disk[0].messages == []


def test_disks_are_volumes(on_disk: tuple[Result, Path]) -> None:
    parts = on_disk[0].parts
    assert parts["data"] == "disk"
    assert parts["ro"] == "disk\ntouch: /ro/new: Read-only file system"


def test_copies_of_the_initramfs_survive_the_move_to_the_root(on_disk: tuple[Result, Path]) -> None:
    parts = on_disk[0].parts
    assert parts["copy"] == "copied\nwrote"
    assert parts["file"] == "one file\ntouch: /etc/a file: Read-only file system"


def test_a_target_that_is_a_link_is_followed_within_the_root(on_disk: tuple[Result, Path]) -> None:
    assert on_disk[0].parts["absolute"] == "one file\none file"


def test_a_volume_may_be_within_a_temporary_file_system(on_disk: tuple[Result, Path]) -> None:
    assert "inner" in on_disk[0].parts["order"]


def test_disks_are_clean_and_have_what_was_written(on_disk: tuple[Result, Path]) -> None:
    folder = on_disk[1]
    for name, file in (("root", "written"), ("first", "new")):
        image = folder / f"{name}.img"
        assert file in files_on(image)
        state = subprocess.check_output([str(program("dumpe2fs")), "-h", str(image)], text=True, stderr=-3)
        assert "needs_recovery" not in state


def test_a_read_only_root_stays_as_it_is(tmp_path: Path) -> None:
    devices = disk(tmp_path, "root", "rootfs", "-d", str(root_files(tmp_path / "root")), readonly=True)
    orders = config(*COPIES, root=Root(BLOCK, "/dev/vda", readonly=True, fstype="ext4"))
    result = guest.boot(tmp_path, orders, VOLUME, *devices)
    assert " / ext4 ro" in result.parts["root"]
    assert result.parts["write"] == "touch: /written: Read-only file system"
    assert result.messages == [
        "init: make /copied for a mount: Read-only file system",
        "init: make /etc/a file for a mount: Read-only file system",
    ]
    assert result.parts["absolute"] == "one file\none file"


def test_without_a_root_the_program_stays_in_the_initramfs_with_its_volumes(tmp_path: Path) -> None:
    result = guest.boot(tmp_path, config(*COPIES), [*guest.busybox(), CHECK, *VOLUME])
    assert result.parts["root"].startswith("rootfs / rootfs rw")
    assert result.parts["copy"] == "copied\nwrote"
    assert result.parts["file"] == "one file\ntouch: /etc/a file: Read-only file system"
    assert result.messages == []


@contextmanager
def share(folder: Path, source: Path, tag: str) -> Iterator[list[str]]:
    """A directory of the host, and the device for it."""
    sock = folder / f"{tag}.sock"
    server = [str(virtiofsd()), f"--socket-path={sock}", "-o", f"source={source}", "--rlimit-nofile=1024"]
    with (
        (folder / "virtiofsd").open("wb") as log,
        subprocess.Popen(server, stdout=log, stderr=log) as process,
    ):
        try:
            eventually(sock.exists, "the socket of virtiofsd")
            yield [
                *("-object", "memory-backend-memfd,id=mem,size=256M,share=on"),
                *("-machine", "memory-backend=mem", "-chardev", f"socket,id={tag},path={sock}"),
                *("-device", f"vhost-user-fs-device,chardev={tag},tag={tag}"),
            ]
        finally:
            process.terminate()


def test_the_root_may_be_a_shared_directory(tmp_path: Path) -> None:
    require("root", "virtiofsd")
    source = root_files(tmp_path / "root")
    with share(tmp_path, source, "rootfs") as devices:
        orders = config(*COPIES, root=Root(VIRTIOFS, "rootfs"))
        result = guest.boot(tmp_path, orders, VOLUME, *devices)
    assert result.parts["root"].startswith("rootfs / virtiofs rw")
    assert result.parts["copy"] == "copied\nwrote"
    assert (source / "written").exists()
    assert result.messages == []


@pytest.mark.parametrize(
    ("mount", "message"),
    [
        (Mount(BLOCK, "absent", "/data"), "mount block absent at /data: No such device"),
        (Mount(BLOCK, "/dev/null", "/data"), "mount block /dev/null at /data: Block device required"),
        (Mount(VIRTIOFS, "absent", "/data"), "mount virtiofs absent at /data: Invalid argument"),
        (Mount(COPY, f"{VOLUMES}/9", "/data"),
         f"mount copy {VOLUMES}/9 at /data: No such file or directory"),
    ],
)  # fmt: skip
def test_a_program_does_not_run_without_its_data(tmp_path: Path, mount: Mount, message: str) -> None:
    result = guest.boot(tmp_path, config(mount), [*guest.busybox(), CHECK])
    assert result.messages == [f"init: {message}"]
    assert (result.status, result.stdout) == (125, b"")


def test_a_disk_without_a_file_system_is_no_root(tmp_path: Path) -> None:
    (tmp_path / "empty.img").write_bytes(bytes(1 << 20))
    drive = f"if=none,id=d,file={tmp_path}/empty.img,format=raw"
    devices = ["-drive", drive, "-device", "virtio-blk-device,drive=d,serial=rootfs"]
    result = guest.boot(tmp_path, config(root=Root(BLOCK, "rootfs")), [], *devices)
    assert result.messages == [
        "init: mount the root from block rootfs: there is no file system on /dev/vda that we know: "
        "it is empty or damaged"
    ]
    assert result.status == 125


def test_a_damaged_file_system_is_no_root(tmp_path: Path) -> None:
    devices = disk(tmp_path, "root", "rootfs", "-d", str(root_files(tmp_path / "root")))
    with (tmp_path / "root.img").open("r+b") as image:
        image.seek(1024 + 4)
        image.write(b"\xff" * 8)  # as many blocks as there cannot be
    result = guest.boot(tmp_path, config(root=Root(BLOCK, "rootfs")), [], *devices)
    assert result.messages == ["init: mount the root from block rootfs: the ext4 on /dev/vda is damaged"]
    assert result.status == 125


@pytest.mark.parametrize(
    ("absent", "flavour", "message"),
    [
        ("virtio_blk", "cloud-", "the kernel has no driver virtio_blk: add its module to the initrd, and to"),
        ("ext4", "", "there is ext4 on /dev/vda, for which the kernel has no driver: add its module to the"),
    ],
)
def test_a_driver_that_the_initrd_lacks_is_named(
    tmp_path: Path, absent: str, flavour: str, message: str
) -> None:
    devices = disk(tmp_path, "root", "rootfs", "-d", str(root_files(tmp_path / "root")))
    kernel = linux_kernel.kernel("x86_64", flavour)
    modules = kernel.modules(*(name for name in linux_kernel.VIRTIO if name != absent))
    init = Path(init_file("x86_64")).read_bytes()
    archive = cpio.join([cpio.archive(modules), initramfs(config(root=Root(BLOCK, "rootfs")), init)])
    with guest.start(tmp_path, archive, *guest.PORTS, *devices, flavour=flavour) as running:
        result = running.end()
    assert result.messages[0].startswith(f"init: mount the root from block rootfs: {message}")
    assert result.status == 125
