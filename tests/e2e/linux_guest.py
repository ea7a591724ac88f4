# SPDX-License-Identifier: Apache-2.0
"""A Linux guest with our own first process on QEMU, started without the runtime."""

from __future__ import annotations

import socket
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import linux_kernel
from capabilities import program
from e2e.waiting import eventually

from urunc_common import cpio
from urunc_common.cpio import Directory, File, Symlink
from urunc_common.guest import CONTROL_PORT, STDERR_PORT, STDIN_PORT, STDOUT_PORT, init_file, initramfs

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from urunc_common.cpio import Entry
    from urunc_common.guest import GuestConfig

COMMANDS = (
    "sh", "cat", "env", "grep", "hostname", "id", "ip", "ls", "poweroff", "sleep", "stat", "stty", "touch",
    "tty",
)  # fmt: skip
DEBUG_EXIT = "debug-exit 0x501"
PASSWD = b"root:x:0:0::/root:/bin/sh\nuser:x:1000:1000::/home/user:/bin/sh\n"
BOOT_S = 60
QUIET = "panic=-1 quiet cryptomgr.notests"

X86_64 = [
    "qemu-system-x86_64", "-M", "microvm", "-accel", "tcg,tb-size=32", "-cpu", "max",
    "-global", "virtio-mmio.force-legacy=false", "-device", "isa-debug-exit,iobase=0x501,iosize=2",
]  # fmt: skip
AARCH64 = [
    "qemu-system-aarch64", "-M", "virt", "-accel", "tcg,tb-size=32", "-cpu", "max",
    "-semihosting-config", "enable=on,target=gdb,userspace=on",
]  # fmt: skip
MACHINES = {"x86_64": (X86_64, "ttyS0"), "aarch64": (AARCH64, "ttyAMA0")}
BUS = "virtio-serial-device"
# The program's streams and the control port, as devices.
PORTS = [
    "-device", BUS,
    "-chardev", "stdio,id=stdin,signal=off", "-device", f"virtserialport,chardev=stdin,name={STDIN_PORT}",
    "-chardev", "file,id=stdout,path=stdout", "-device", f"virtserialport,chardev=stdout,name={STDOUT_PORT}",
    "-chardev", "file,id=stderr,path=stderr", "-device", f"virtserialport,chardev=stderr,name={STDERR_PORT}",
    "-chardev", "socket,id=control,path=control,server=on,wait=off",
    "-device", f"virtserialport,chardev=control,name={CONTROL_PORT}",
]  # fmt: skip


@dataclass(frozen=True)
class Result:
    """How a guest ended, and what it wrote."""

    code: int
    stdout: bytes
    stderr: bytes
    console: str

    @property
    def status(self) -> int:
        """What the program ended with, if it went through the debug exit device."""
        return self.code >> 1

    @property
    def parts(self) -> dict[str, str]:
        """What the program wrote on standard output behind each line `== NAME`."""
        pieces = f"\n{self.stdout.decode(errors='replace')}".removesuffix("\n").split("\n== ")
        return dict(piece.split("\n", 1) if "\n" in piece else (piece, "") for piece in pieces[1:])

    @property
    def messages(self) -> list[str]:
        """What our first process had to say, on the console or on standard error."""
        lines = [*self.console.splitlines(), *self.stderr.decode(errors="replace").splitlines()]
        return [line.strip() for line in lines if line.startswith("init: ")]


@dataclass(frozen=True)
class Running:
    """A guest that has not ended."""

    process: subprocess.Popen[bytes]
    folder: Path

    def read(self, name: str) -> str:
        """What is in one of its files by now."""
        path = self.folder / name
        return path.read_text(errors="replace") if path.exists() else ""

    def wait_for(self, text: str, name: str = "stdout") -> None:
        """Until it has written this."""
        eventually(lambda: text in self.read(name) or self.process.poll() is not None, text)
        assert text in self.read(name), self.read("console")

    @contextmanager
    def connected(self, name: str) -> Iterator[socket.socket]:
        """The other end of a device."""
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(str(self.folder / name))
            yield sock

    def tell(self, lines: bytes) -> None:
        """Write to the control port."""
        with self.connected("control") as sock:
            sock.sendall(lines)

    def end(self, stdin: bytes = b"") -> Result:
        """Give it the rest of its input, and wait."""
        self.process.communicate(stdin, timeout=BOOT_S)
        outputs = [(self.folder / name) for name in ("stdout", "stderr")]
        stdout, stderr = (path.read_bytes() if path.exists() else b"" for path in outputs)
        return Result(self.process.returncode, stdout, stderr, self.read("console"))


def busybox(arch: str = "x86_64") -> list[Entry]:
    """A root with a shell and what belongs to it."""
    links = [Symlink(f"/bin/{name}", "busybox") for name in COMMANDS]
    return [
        File("/bin/busybox", linux_kernel.busybox(arch), 0o755),
        *links,
        File("/etc/passwd", PASSWD),
        Directory("/tmp", 0o1777),
    ]


def tsc_khz() -> int:
    """An emulated timer is too unsteady for the kernel to measure the clock against."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    return int(next(float(line.split(":")[1]) for line in lines if line.startswith("cpu MHz")) * 1000)


def script(text: str, path: str = "/check") -> File:
    """A program in the guest."""
    return File(path, f"#!/bin/sh\n{text}".encode(), 0o755)


def archive(config: GuestConfig, entries: Iterable[Entry], arch: str = "x86_64") -> bytes:
    """What the runtime makes: what the image has, and behind it our first process with its orders."""
    init = Path(init_file(arch)).read_bytes()
    modules = linux_kernel.kernel(arch).modules(*linux_kernel.VIRTIO)
    return cpio.join([cpio.archive([*modules, *entries]), initramfs(config, init)])


@contextmanager
def start(
    folder: Path,
    initrd: bytes,
    *devices: str,
    arch: str = "x86_64",
    flavour: str = "cloud-",
    cmdline: str = "rdinit=/.urunc/init",
) -> Iterator[Running]:
    """A guest, for as long as it is looked at.  Its console is a file, unless the devices say otherwise."""
    (folder / "initrd").write_bytes(initrd)
    machine, console = MACHINES[arch]
    clock = f"tsc_early_khz={tsc_khz()}" if arch == "x86_64" else ""
    argv = [
        *(program(machine[0]), *machine[1:], "-m", "256", "-nodefaults", "-no-user-config", "-no-reboot"),
        *("-display", "none", "-kernel", str(linux_kernel.kernel(arch, flavour).image), "-initrd", "initrd"),
        *("-append", f"console={console} {QUIET} {clock} {cmdline}", *devices),
        *(() if "-serial" in devices else ("-serial", "file:console")),
    ]
    with (folder / "qemu").open("wb") as log:
        process = subprocess.Popen(argv, cwd=folder, stdin=subprocess.PIPE, stdout=log, stderr=log)
    with process:
        try:
            yield Running(process, folder)
        finally:
            process.kill()


def boot(
    folder: Path,
    config: GuestConfig,
    entries: Iterable[Entry],
    *devices: str,
    stdin: bytes = b"",
    arch: str = "x86_64",
) -> Result:
    """Run a guest to its end."""
    with start(folder, archive(config, entries, arch), *PORTS, *devices, arch=arch) as guest:
        return guest.end(stdin)
