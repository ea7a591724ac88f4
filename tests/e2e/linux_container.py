# SPDX-License-Identifier: Apache-2.0
"""A Linux guest as a container: a bundle whose root has a shell, a kernel and its modules, run by urunc."""

from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import linux_kernel
from capabilities import ROOT, SEARCH
from e2e.linux_guest import busybox

from urunc_common import cpio
from urunc_common.config import PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from urunc_common.cpio import Entry

NAMESPACES = ("pid", "ipc", "uts", "mount", "network")
CAPABILITIES = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_SETGID", "CAP_SETUID"]
BOOT_S = 60
NUMBERS = itertools.count()
KERNEL, BOOT = "/boot/vmlinux", "/boot/boot.img"


def unpack(entries: Iterable[Entry], folder: Path) -> None:
    """Entries of an archive as real files."""
    for entry in entries:
        path = folder / entry.path.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(entry, cpio.Directory):
            path.mkdir(exist_ok=True)
            path.chmod(entry.mode)
        elif isinstance(entry, cpio.Symlink):
            path.symlink_to(entry.target)
        else:
            path.write_bytes(entry.content)
            path.chmod(entry.mode)


@dataclass(frozen=True)
class Result:
    """How a container ended."""

    status: int
    stdout: str
    stderr: str


class Container:
    """One bundle below `folder`, with a state root and a configuration of its own."""

    def __init__(self, folder: Path, settings: str = "", *, arch: str = "x86_64") -> None:
        self.folder, self.rootfs, self.arch = folder, folder / "bundle/rootfs", arch
        self.flavour, self.modules = "cloud-", (*linux_kernel.PANIC[arch], *linux_kernel.VIRTIO)
        self.annotations: dict[str, str] = {}
        self.mounts: list[dict[str, Any]] = []
        self.process: dict[str, Any] = {}
        self.root: dict[str, Any] = {}
        self.linux: dict[str, Any] = {"namespaces": [{"type": kind} for kind in NAMESPACES]}
        folder.chmod(0o755)
        (folder / "config.toml").write_text(f'[monitors.qemu]\naccel = "tcg"\n{settings}')

    def fill(self) -> None:
        """A root as an ordinary image has it."""
        unpack(busybox(self.arch), self.rootfs)

    def be_linux(self, **image: str) -> None:
        """The kernel, its modules in a boot initrd, and what an image says about itself."""
        kernel = linux_kernel.kernel(self.arch, self.flavour)
        (self.rootfs / "boot").mkdir(parents=True, exist_ok=True)
        os.link(kernel.image, self.rootfs / KERNEL[1:])
        self.boot_archive(self.rootfs / BOOT[1:])
        said = {"unikernelType": "linux", "hypervisor": "qemu", "binary": KERNEL, **image}
        self.annotations.update({PREFIX + key: value for key, value in said.items()})

    def boot_archive(self, path: Path, *entries: Entry) -> Path:
        """The kernel's modules, and what else is to be in the initrd."""
        modules = linux_kernel.kernel(self.arch, self.flavour).modules(*self.modules)
        path.write_bytes(cpio.archive([*modules, *entries]))
        return path

    def bind(self, source: Path, target: str, *options: str) -> None:
        """A volume."""
        self.mounts.append(
            {"type": "bind", "source": str(source), "destination": target, "options": ["rbind", *options]}
        )

    def write(self, *args: str) -> None:
        """config.json."""
        config = {
            "ociVersion": "1.0.2",
            "process": {
                "cwd": "/", "args": list(args), "env": ["PATH=/bin"], "user": {"uid": 0, "gid": 0},
                "capabilities": dict.fromkeys(("bounding", "permitted", "effective"), CAPABILITIES),
                **self.process,
            },
            "root": {"path": "rootfs", **self.root},
            "annotations": self.annotations,
            "mounts": self.mounts,
            "linux": self.linux,
        }  # fmt: skip
        (self.rootfs.parent / "config.json").write_text(json.dumps(config))

    def argv(self, *words: str) -> list[str]:
        state = str(self.folder / "state")
        log = ["--log", str(self.folder / "log"), "--debug"]
        return [str(ROOT / ".venv/bin/urunc"), "--root", state, *log, *words]

    @property
    def environment(self) -> dict[str, str]:
        return {"PATH": SEARCH, "URUNC_CONFIG_FILE": str(self.folder / "config.toml")}

    def run(self, *args: str, stdin: bytes = b"") -> Result:
        """Run it to its end."""
        self.write(*args)
        command = self.argv("run", "--bundle", str(self.rootfs.parent), self.folder.name)
        done = subprocess.run(
            command, input=stdin, capture_output=True, check=False, timeout=BOOT_S, env=self.environment
        )
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def start(self, *args: str, output: Path) -> None:
        """Run it in the background."""
        self.write(*args)
        with output.open("wb") as file:
            subprocess.run(
                self.argv("run", "--detach", "--bundle", str(self.rootfs.parent), self.folder.name),
                check=True, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=self.environment,
            )  # fmt: skip

    def __call__(self, verb: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Another verb; options come before the container's id, other words behind it."""
        options = [word for word in words if word.startswith("-")]
        others = [word for word in words if not word.startswith("-")]
        command = self.argv(verb, *options, self.folder.name, *others)
        return subprocess.run(command, capture_output=True, text=True, check=False, env=self.environment)

    @property
    def pid(self) -> int:
        """Its monitor's."""
        pid: int = json.loads(self("state").stdout)["pid"]
        return pid

    def join(self, **paths: str) -> None:
        """Namespaces that are there, by their kinds."""
        for entry in self.linux["namespaces"]:
            if entry["type"] in paths:
                entry["path"] = paths[entry["type"]]

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text()

    def remove(self) -> None:
        """Whatever is left of it."""
        self("delete", "--force")
        shutil.rmtree(self.folder / "state", ignore_errors=True)


@contextmanager
def container(
    folder: Path, settings: str = "", *, arch: str = "x86_64", kind: type[Container] = Container
) -> Iterator[Container]:
    """One below `folder`, whose name no other on this host has; in the end nothing is left of it."""
    own = folder / f"linux-{os.getpid()}-{next(NUMBERS)}"
    own.mkdir()
    made = kind(own, settings, arch=arch)
    try:
        yield made
    finally:
        made.remove()
        subprocess.run(["umount", "-q", str(made.rootfs)], check=False)
