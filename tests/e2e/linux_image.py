# SPDX-License-Identifier: Apache-2.0
"""A Linux guest as an image that bima builds: a kernel, an initrd that boots it, and a root with a shell."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import linux_kernel
from e2e.examples import TCG
from e2e.linux_container import unpack
from e2e.linux_guest import busybox

from urunc_common import cpio
from urunc_common.config import PREFIX
from urunc_common.cpio import Symlink

if TYPE_CHECKING:
    from pathlib import Path

    from e2e.examples import Builder

IMAGE = "docker.io/library/linux-shell:example"
SAYS = {
    "unikernelType": "linux",
    "hypervisor": "qemu",
    "binary": "/boot/vmlinux",
    "initrd": "/boot/boot.img",
    "mountRootfs": "true",
}


def archive(builder: Builder) -> Path:
    """The image as a file that containerd loads."""
    context, path = builder.folder / "linux-shell", builder.folder / "linux-shell.tar"
    unpack([*busybox(), Symlink("/bin/httpd", "busybox")], context / "root")
    _boot_files(context / "boot")
    labels = [f'LABEL {PREFIX}{key}="{value}"' for key, value in SAYS.items()]
    lines = ["FROM scratch", "COPY boot /boot", "COPY root /", 'ENV PATH="/bin"', *labels, 'CMD ["/bin/sh"]']
    (context / "Containerfile").write_text("\n".join(lines) + "\n")
    builder.bima("build", "--tag", IMAGE, "--output", f"oci-archive:{path}", str(context))
    return path


def configuration(folder: Path) -> str:
    """config.toml with a kernel for images that have none."""
    _boot_files(folder)
    return f'{TCG}\n[default]\nkernel = "{folder}/vmlinux"\ninitrd = "{folder}/boot.img"\n'


def _boot_files(folder: Path) -> None:
    folder.mkdir(parents=True)
    kernel = linux_kernel.kernel("x86_64")
    os.link(kernel.image, folder / "vmlinux")
    modules = kernel.modules(*linux_kernel.PANIC["x86_64"], *linux_kernel.VIRTIO)
    (folder / "boot.img").write_bytes(cpio.archive(modules))
