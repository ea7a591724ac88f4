# SPDX-License-Identifier: Apache-2.0
"""Debian's cloud kernel and its busybox, for guests: downloaded once, never installed."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from capabilities import ROOT, SEARCH

from urunc_common.cpio import Entry, File

CACHE = ROOT / ".cache/guests"
DEBIAN = {"x86_64": "amd64", "aarch64": "arm64"}
LZ4 = b"\x02\x21\x4c\x18"
ELF = b"\x7fELF"

# The cloud kernels have no 9p.
PLAN9 = ("9pnet_virtio", "9p")
# What tells the monitor that the kernel panics; Debian has it for x86_64 only.
PANIC = {"x86_64": ("pvpanic-mmio",), "aarch64": ()}
VIRTIO = ("virtio_mmio", "virtio_pci", "virtio_blk", "virtio_console", "virtio_net", "virtiofs")


@dataclass(frozen=True)
class Kernel:
    """A kernel, and where its modules are."""

    image: Path
    folder: Path

    def modules(self, *names: str) -> list[Entry]:
        """These modules and what they need, and the list of them for our first process."""
        (version,) = os.listdir(self.folder / "lib/modules")
        options = ["-d", str(self.folder), "-S", version, "--show-depends"]
        lines = [line for name in names for line in run("modprobe", *options, name).splitlines()]
        paths = dict.fromkeys(line.split()[1] for line in lines if line.startswith("insmod "))
        files = [File(f"/lib/modules/{Path(path).name}", Path(path).read_bytes()) for path in paths]
        listed = "".join(f"{file.path}\n" for file in files)
        return [*files, File("/lib/modules-load", listed.encode())]


@cache
def kernel(arch: str, flavour: str = "cloud-") -> Kernel:
    """The newest kernel of an architecture."""
    folder = unpacked(f"linux-image-{flavour}{DEBIAN[arch]}", arch)
    image = folder / "image"
    if not image.exists():
        (packed,) = (folder / "boot").glob("vmlinuz-*")
        run("depmod", "-b", str(folder), *os.listdir(folder / "lib/modules"))
        image.write_bytes(unpack_kernel(packed.read_bytes()))
    return Kernel(image, folder)


@cache
def busybox(arch: str) -> bytes:
    """A static busybox."""
    return (unpacked("busybox-static", arch) / "bin/busybox").read_bytes()


def unpack_kernel(packed: bytes) -> bytes:
    """What is packed in a kernel starts sooner than a kernel that has to unpack itself."""
    start = packed.find(LZ4)
    while start >= 0:
        command = ["lz4", "-dc"]
        done = subprocess.run(command, input=packed[start:], capture_output=True, check=False)
        if done.stdout.startswith(ELF):
            return done.stdout
        start = packed.find(LZ4, start + 1)
    return packed


def unpacked(package: str, arch: str) -> Path:
    """The folder with a package's files; a package that only names another one means that."""
    folder = CACHE / f"{package}-{arch}"
    if not folder.exists():
        work = CACHE / f"{package}-{arch}.{os.getpid()}"
        work.mkdir(parents=True)
        options = apt_options(arch)
        run("apt-get", *options, "download", "-qq", newest(package, options), cwd=work)
        (archive,) = work.glob("*.deb")
        run("dpkg-deb", "-x", str(archive), str(work))
        archive.unlink()
        work.rename(folder)
    return folder


def newest(package: str, options: list[str]) -> str:
    """linux-image-cloud-amd64 has no files, but depends on the newest package that does."""
    lines = run("apt-cache", *options, "depends", package).splitlines()
    kernels = [line.split()[1] for line in lines if line.strip().startswith("Depends: linux-image-")]
    return kernels[0] if kernels else package


@cache
def apt_options(arch: str) -> list[str]:
    """The packages of another architecture are looked up without telling the system's own apt about it."""
    user = ["-o", "APT::Sandbox::User=root"]
    if run("dpkg", "--print-architecture").strip() == DEBIAN[arch]:
        return user
    state = CACHE / f"apt-{arch}"
    (state / "lists/partial").mkdir(parents=True, exist_ok=True)
    settings = {
        "APT::Architecture": DEBIAN[arch],
        "APT::Architectures::": DEBIAN[arch],
        "Dir::State": str(state),
        "Dir::State::status": "/dev/null",
        "Dir::Cache": str(state),
    }
    options = [*user, *(word for key, value in settings.items() for word in ("-o", f"{key}={value}"))]
    if not (state / "updated").exists():
        run("apt-get", *options, "update", "-qq")
        (state / "updated").touch()
    return options


def run(name: str, *words: str, cwd: Path | None = None) -> str:
    """What a program prints."""
    path = shutil.which(name, path=SEARCH)
    assert path, f"{name} is not installed"
    done = subprocess.run([path, *words], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{name} {' '.join(words)}: {done.stderr}"
    return done.stdout
