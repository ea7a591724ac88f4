# SPDX-License-Identifier: Apache-2.0
"""The Linux guest of the examples with a shell script in place of its program, run by a monitor directly."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from e2e import examples

if TYPE_CHECKING:
    from pathlib import Path

    from urunc.machine import LaunchPlan

PREPARE = """#!/bin/busybox sh
/bin/busybox --install -s /bin
mkdir -p /mnt; mount -t devtmpfs none /dev; mount -t proc none /proc; mount -t sysfs none /sys
while read -r module; do insmod "$module"; done </lib/modules-load
"""


@dataclass(frozen=True)
class Image:
    """A kernel and an initrd, where the host has them."""

    kernel: Path
    initrd: Path

    def argv(self, launch: LaunchPlan) -> list[str]:
        """The planned command line with the files of this image."""
        places = {"/kernel": str(self.kernel), "/initrd": str(self.initrd)}
        return [places.get(word, word) for word in launch.argv]


def image(script: str, folder: Path) -> Image:
    """A guest that prepares itself and runs the script; later files of an initrd replace earlier ones."""
    out = _build()
    program = folder / "init"
    program.write_text(PREPARE + script)
    program.chmod(0o755)
    archive = subprocess.run(
        ["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"],
        input=b"init\n", cwd=folder, capture_output=True, check=True,
    )  # fmt: skip
    (folder / "initrd").write_bytes((out / "initrd").read_bytes() + archive.stdout)
    return Image(out / "vmlinux", folder / "initrd")


@cache
def _build() -> Path:
    """Once for all tests: it downloads the kernel."""
    folder = examples.context("linux-httpd")
    subprocess.run([folder / "build"], check=True)
    return folder / "out"
