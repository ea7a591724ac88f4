# SPDX-License-Identifier: Apache-2.0
"""What `bima pack` makes of a root file system boots."""

from __future__ import annotations

from typing import TYPE_CHECKING

import linux_kernel
import pytest
from capabilities import require
from e2e import bima as helper
from e2e import network
from e2e.bima import MARK, Bima
from e2e.examples import TCG, Builder
from e2e.linux_container import unpack
from e2e.linux_guest import busybox
from sample_image import make_image

from urunc_common import cpio

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.vm, pytest.mark.root]
IMAGE = f"{MARK}-packed"
SAYS = "cat /says; stat -c %a /bin/busybox; exit 7"


@pytest.fixture(scope="module")
def bima(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bima]:
    """A kernel, an initrd with its modules, and a root."""
    require("root", "qemu", "linux-kernel", "e2fsprogs", "erofs-utils")
    builder = Builder(tmp_path_factory.mktemp("pack"))
    (builder.folder / "config.toml").write_text(TCG)
    kernel = linux_kernel.kernel("x86_64")
    (builder.folder / "vmlinux").hardlink_to(kernel.image)
    modules = kernel.modules(*linux_kernel.PANIC["x86_64"], *linux_kernel.VIRTIO, "erofs")
    (builder.folder / "boot.img").write_bytes(cpio.archive(modules))
    unpack([*busybox(), cpio.File("/says", b"packed\n")], builder.folder / "root")
    unpack(modules, builder.folder / "with-modules")
    unpack([*busybox(), cpio.File("/says", b"packed\n")], builder.folder / "with-modules")
    return Bima(builder)


@pytest.mark.parametrize("kind", ["initrd", "ext4", "ext2", "erofs"])
def test_a_linux_guest_boots_with_each_kind_of_root(bima: Bima, kind: str) -> None:
    folder = bima.builder.folder
    root, boot = f"{folder}/root", ("--initrd", f"{folder}/boot.img")
    if kind == "initrd":
        root, boot = f"{folder}/with-modules", ()
    words = ("--rootfs", root, "--rootfs-type", kind, *boot, "--type", "linux", "--monitor", "qemu")
    with network.private_network(), helper.private_state():
        bima("pack", "-q", "-t", IMAGE, "-k", f"{folder}/vmlinux", *words, "--", "/bin/sh", "-c", SAYS)
        done = bima("run", "--network", "none", IMAGE, check=False)
    assert done.stdout.replace("\r", "") == "packed\n755\n", done.stderr
    assert done.returncode == 7


def test_an_ordinary_image_boots_when_it_is_converted(bima: Bima) -> None:
    folder = bima.builder.folder
    ordinary = folder / "data"
    make_image(ordinary, f"{IMAGE}-ordinary", files={"says": b"ordinary\n"})
    (folder / "ordinary").mkdir()
    (folder / "ordinary/Containerfile").write_text(
        f"FROM oci:{ordinary}\nCOPY root /\nUSER 5:6\n"
        'CMD ["/bin/sh", "-c", "cat /says; id -u; exit 3"]\n'
        "LABEL com.urunc.unikernel.unikernelType=linux com.urunc.unikernel.hypervisor=qemu\n"
        "LABEL com.urunc.unikernel.binary=/k\nCOPY vmlinux /k\n"
    )
    kernel = ("--kernel", f"{folder}/vmlinux", "--initrd", f"{folder}/boot.img")
    with network.private_network(), helper.private_state():
        bima("build", "-q", "-t", f"{IMAGE}-2", "-f", f"{folder}/ordinary/Containerfile", str(folder))
        bima("convert", "-q", "-t", IMAGE, *kernel, "--rootfs-type", "ext4", f"{IMAGE}-2")
        done = bima("run", "--network", "none", IMAGE, check=False)
    assert done.stdout.replace("\r", "") == "packed\n5\n", done.stderr
    assert done.returncode == 3
