# SPDX-License-Identifier: Apache-2.0
"""Linux guests under urunc: further disks, and roots and volumes that are not what they should be."""

from __future__ import annotations

import gzip
import shutil
import subprocess

import pytest
from capabilities import program, require, virtiofsd
from e2e import linux_container
from e2e.linux_container import BOOT
from e2e.linux_guest import busybox
from e2e.linux_roots import by_annotation

SHELL = ("/bin/sh", "-c")


@pytest.fixture(name="container")
def container_fixture(tmp_path):
    require("root", "qemu", "linux-kernel")
    with linux_container.container(tmp_path) as container:
        yield container


def test_the_server_of_files_may_be_installed_anywhere(tmp_path):
    require("root", "qemu", "linux-kernel", "virtiofsd")
    program_file = tmp_path / "opt/libexec/virtiofsd"
    program_file.parent.mkdir(parents=True)
    shutil.copy(str(virtiofsd()), program_file)
    (tmp_path / "link").symlink_to(program_file)
    settings = f'[extra_binaries.virtiofsd]\npath = "{tmp_path}/link"\n'
    with linux_container.container(tmp_path, settings) as container:
        by_annotation("virtiofs")(container)
        assert container.run(*SHELL, "/bin/grep ' / ' /proc/mounts").stdout.startswith("fs0 / virtiofs")


def in_initrd(container, **image):
    container.rootfs.mkdir(parents=True)
    container.be_linux(initrd=BOOT, **image)
    container.boot_archive(container.rootfs / BOOT[1:], *busybox(container.arch))


def packed(container, **image):
    by_annotation("packed")(container)
    container.annotations.update({f"com.urunc.unikernel.{key}": value for key, value in image.items()})


def add_disk(container, **content):
    """A block image in the image, with these files."""
    folder = container.folder / "data"
    folder.mkdir()
    for name, text in content.items():
        (folder / name).write_text(text)
    image = container.rootfs / "data.ext4"
    command = [program("mke2fs"), "-q", "-t", "ext4", "-d", str(folder), str(image), "16M"]
    subprocess.run(command, check=True)
    return image


@pytest.mark.parametrize("root", [in_initrd, packed])
def test_a_block_image_beside_a_root_is_a_further_disk(root, container):
    root(container, block="/data.ext4", blkMntPoint="/srv/data")
    image = add_disk(container, question="what?")
    before = image.read_bytes()
    look = "/bin/cat /srv/data/question; /bin/grep ' /srv/data ' /proc/mounts"
    done = container.run(*SHELL, f"{look}; echo 42 > /srv/data/answer")
    assert done.stdout.startswith("what?/dev/vd")
    assert " /srv/data ext4 rw" in done.stdout
    container("delete", "--force")
    assert container.run(*SHELL, "/bin/cat /srv/data/answer").stdout == "42\n"
    assert image.read_bytes() == before


def test_with_a_read_only_root_the_further_disk_is_that_too(container):
    in_initrd(container, block="/data.ext4", blkMntPoint="/data")
    add_disk(container, question="what?")
    container.root = {"readonly": True}
    done = container.run(*SHELL, "/bin/touch /data/new; /bin/cat /data/question")
    assert done.stdout == "what?"
    assert "Read-only file system" in done.stderr


def test_a_volume_may_lie_on_the_further_disk(container):
    in_initrd(container, block="/data.ext4", blkMntPoint="/data")
    add_disk(container)
    (container.folder / "file").write_text("volume")
    container.bind(container.folder / "file", "/data/file")
    assert container.run(*SHELL, "/bin/cat /data/file").stdout == "volume"


def test_a_device_that_is_gone_is_named(container):
    in_initrd(container)
    settings = container.folder / "config.toml"
    settings.write_text(settings.read_text().replace('"tcg"', '"kvm"'))
    nodes = "mknod /dev/null c 1 3 && mknod /dev/urandom c 1 9"
    done = in_namespace(f"mount -t tmpfs none /dev && {nodes}", container)
    assert "find the device /dev/kvm: No such file or directory" in done.stderr


def in_namespace(first, container):
    """Run it after a change to the mounts that nobody else sees."""
    container.write("/bin/sh")
    command = container.argv("run", "--bundle", str(container.rootfs.parent), container.folder.name)
    argv = ["unshare", "--mount", "sh", "-c", f'{first}; exec "$@"', "sh", *command]
    return subprocess.run(argv, capture_output=True, text=True, check=False, env=container.environment)


@pytest.mark.parametrize("damage", ["cut", "middle"])
def test_an_initrd_that_linux_cannot_unpack_is_no_success(damage, container):
    """What the kernel says then is all that there is to say."""
    in_initrd(container)
    boot = container.rootfs / BOOT[1:]
    content = gzip.compress(boot.read_bytes(), 1)
    broken = (
        content[: len(content) // 2] if damage == "cut" else content[:5000] + bytes(5000) + content[10000:]
    )
    boot.write_bytes(broken)
    done = container.run("/bin/sh")
    assert done.status not in (0, 1)
    assert "panic" in done.stderr
