# SPDX-License-Identifier: Apache-2.0
"""The kinds of root file system that a Linux guest can have, each by how its container is prepared."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import linux_kernel
from e2e.linux_container import BOOT
from e2e.linux_guest import busybox

if TYPE_CHECKING:
    from collections.abc import Callable

    from e2e.linux_container import Container


def in_initrd(container: Container) -> None:
    """All of the root is an initrd."""
    container.rootfs.mkdir(parents=True)
    container.be_linux(initrd=BOOT)
    container.boot_archive(container.rootfs / BOOT[1:], *busybox(container.arch))


def by_annotation(kind: str) -> Callable[[Container], None]:
    """The container's own root, in the way that the container asks for."""

    def prepare(container: Container) -> None:
        container.fill()
        container.be_linux(initrd=BOOT, mountRootfs="true")
        container.annotations["run.urunc.root"] = kind

    return prepare


def in_block_image(container: Container) -> None:
    """A file of the image is a disk."""
    image = container.folder / "root.ext4"
    container.fill()
    command = ["mke2fs", "-q", "-t", "ext4", "-d", str(container.rootfs), str(image), "16M"]
    subprocess.run(command, check=True, env=container.environment)
    container.be_linux(initrd=BOOT, block="/root.ext4", blkMntPoint="/")
    image.rename(container.rootfs / "root.ext4")


def by_9p(container: Container) -> None:
    """With a kernel that knows it."""
    container.flavour, container.modules = "", (*container.modules, *linux_kernel.PLAN9)
    by_annotation("9p")(container)


def on_a_device(container: Container) -> None:
    """As devmapper and blockfile give it: the root is a mounted device of its own."""
    image = container.folder / "device.ext4"
    container.fill()
    container.be_linux(initrd=BOOT, mountRootfs="true")
    command = ["mke2fs", "-q", "-t", "ext4", "-d", str(container.rootfs), str(image), "64M"]
    subprocess.run(command, check=True, env=container.environment)
    subprocess.run(["mount", "-o", "loop", str(image), str(container.rootfs)], check=True)


ROOTS = {
    "initrd": in_initrd,
    "block": in_block_image,
    "virtiofs": by_annotation("virtiofs"),
    "9p": by_9p,
    "packed": by_annotation("packed"),
    "device": on_a_device,
}
