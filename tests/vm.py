# SPDX-License-Identifier: Apache-2.0
"""A Debian with systemd and cgroups of version 2 in a virtual machine, which runs tests of this checkout.

    scripts/vm [PYTEST OPTIONS]

The root file system is made once for each list of packages, and kept below .cache; a run does not change it.
The checkout is shared with the guest, at the same path and to be read only.
"""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import linux_kernel
from capabilities import ROOT, SEARCH, VIRTIOFSD_FOLDERS

from urunc import virtiofsd
from urunc.machine import Share
from urunc_common import cpio
from urunc_common.cpio import Directory, File

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PACKAGES = (
    "systemd", "systemd-sysv", "dbus", "udev", "kmod", "procps", "iproute2", "python3-minimal",
    "libpython3-stdlib", "busybox-static", "runc", "apparmor",
)  # fmt: skip
MODULES = ("virtio_pci", "virtio_blk", "virtiofs", "virtio_console")
CACHE = ROOT / ".cache/vm"
IMAGE_SIZE = "2G"
MEMORY = "1536M"
TIMEOUT_S = 900
DONE = "the tests ended with status "
# What the guest has that its tests are for.
REQUIRED = "root,busybox,runc,systemd,apparmor,sys-resource"

UNIT = """\
[Unit]
Description=Tests
Requires=basic.target dbus.socket
After=basic.target dbus.socket
[Service]
ExecStart=/bin/sh /run-tests
ExecStopPost=/bin/systemctl --no-block poweroff
StandardOutput=tty
StandardError=tty
TTYPath=/dev/hvc0
Type=oneshot
"""
INIT = f"""\
#!/bin/busybox sh
set -e
/bin/busybox --install -s /bin
mount -t devtmpfs dev /dev
while read -r module; do insmod "$module"; done </lib/modules-load
mount -t ext4 /dev/vda /root
mkdir -p '/root{ROOT}'
mount -t virtiofs -o ro checkout '/root{ROOT}'
cp /run-tests /root/run-tests
exec switch_root /root /lib/systemd/systemd
"""


def main(words: Sequence[str]) -> int:
    """Run the tests that are marked `inside`, or those that the words say; pytest's status."""
    with tempfile.TemporaryDirectory(prefix="urunc-vm-") as name:
        folder = Path(name)
        initrd = folder / "initrd"
        initrd.write_bytes(_initrd(words))
        with _shared(folder) as sock:
            return _boot(image(), initrd, sock)


def image() -> Path:
    """The root file system, made when it is not there."""
    name, release, mirror = _debian()
    kernel = linux_kernel.kernel("x86_64")
    inputs = repr((PACKAGES, UNIT, IMAGE_SIZE, release, os.listdir(kernel.folder / "lib/modules")))
    path = CACHE / f"{name}-{hashlib.sha256(inputs.encode()).hexdigest()[:16]}.ext4"
    if not path.exists():
        shutil.rmtree(CACHE, ignore_errors=True)
        CACHE.mkdir(parents=True)
        _make(path, release, mirror, kernel.folder)
    return path


def _debian() -> tuple[str, str, str]:
    """Which distribution this is, its release, and where its packages come from."""
    lines = Path("/etc/os-release").read_text().splitlines()
    about = {key: value.strip('"') for key, _, value in (line.partition("=") for line in lines)}
    release = about["VERSION_CODENAME"]
    targets = linux_kernel.run(
        "apt-get", "indextargets", "--format", "$(REPO_URI) $(CODENAME) $(COMPONENT)", "Identifier: Packages"
    )
    found = (line.split() for line in targets.splitlines())
    return about["ID"], release, next(uri for uri, name, part in found if (name, part) == (release, "main"))


def _make(path: Path, release: str, mirror: str, kernel: Path) -> None:
    print("vm: making its root file system", file=sys.stderr)
    with tempfile.TemporaryDirectory(prefix="urunc-vm-") as name:
        root = Path(name) / "root"
        options = ["--variant=minbase", f"--include={','.join(PACKAGES)}"]
        linux_kernel.run("debootstrap", *options, release, str(root), mirror)
        shutil.copytree(kernel / "lib/modules", root / "usr/lib/modules", dirs_exist_ok=True, symlinks=True)
        (root / "etc/systemd/system/tests.service").write_text(UNIT)
        shutil.rmtree(root / "var/cache/apt")
        temporary = path.with_suffix(".new")
        linux_kernel.run("mke2fs", "-q", "-t", "ext4", "-d", str(root), str(temporary), IMAGE_SIZE)
        temporary.rename(path)


def _initrd(words: Sequence[str]) -> bytes:
    chosen = words or ("-m", "inside", "tests/integration/runtime", "tests/integration/test_systemd.py")
    command = shlex.join(
        [
            str(ROOT / ".venv/bin/python"),
            "-m",
            "pytest",
            "-p",
            "no:cacheprovider",
            "--color=no",
            "-q",
            *chosen,
        ]
    )
    script = (
        f"cd '{ROOT}'\nexport PATH='{os.defpath}:/usr/sbin:/sbin'\n"
        f"export REQUIRE={REQUIRED} PYTHONDONTWRITEBYTECODE=1\n"
        f'{command}\necho "{DONE}$?"\n'
    )
    return cpio.archive(
        [
            File("/init", INIT.encode(), 0o755),
            File("/bin/busybox", linux_kernel.busybox("x86_64"), 0o755),
            File("/run-tests", script.encode()),
            *(Directory(path) for path in ("/dev", "/root")),
            *linux_kernel.kernel("x86_64").modules(*MODULES),
        ]
    )


@contextmanager
def _shared(folder: Path) -> Iterator[Path]:
    """The checkout, served to whoever connects to the socket."""
    program = shutil.which("virtiofsd", path=os.pathsep.join(VIRTIOFSD_FOLDERS))
    assert program, "virtiofsd is not installed"
    share = Share("checkout", str(ROOT), readonly=True)
    with socket.socket(socket.AF_UNIX) as listener:
        path = folder / "checkout"
        listener.bind(str(path))
        listener.listen()
        newer = virtiofsd.is_newer(Path(program).read_bytes())
        command = virtiofsd.command(program, share, listener.fileno(), newer=newer)
        with subprocess.Popen(command, pass_fds=[listener.fileno()], stderr=subprocess.DEVNULL) as server:
            try:
                yield path
            finally:
                server.terminate()


def _boot(root: Path, initrd: Path, sock: Path) -> int:
    line = "root=/dev/vda quiet loglevel=1 console=ttyS0 panic=-1 mitigations=off systemd.unit=tests.service"
    command = [
        "qemu-system-x86_64", "-nodefaults", "-no-reboot", "-display", "none", "-machine", "q35",
        "-accel", "tcg,tb-size=256", "-cpu", "max", "-smp", "2", "-m", MEMORY,
        "-object", f"memory-backend-memfd,id=memory,size={MEMORY},share=on",
        "-machine", "memory-backend=memory",
        "-kernel", str(linux_kernel.kernel("x86_64").image), "-initrd", str(initrd), "-append", line,
        "-drive", f"file={root},format=raw,if=virtio,snapshot=on",
        "-chardev", f"socket,id=checkout,path={sock}",
        "-device", "vhost-user-fs-pci,chardev=checkout,tag=checkout",
        "-device", "virtio-serial-pci", "-chardev", "stdio,id=output,signal=off",
        "-device", "virtconsole,chardev=output", "-serial", f"file:{sock}.console",
    ]  # fmt: skip
    status = 1
    program = shutil.which(command[0], path=SEARCH)
    assert program, "qemu-system-x86_64 is not installed"
    with subprocess.Popen(
        [program, *command[1:]], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace"
    ) as machine:
        # A guest that hangs says nothing more.
        late = threading.Timer(TIMEOUT_S, machine.kill)
        late.start()
        try:
            for text in machine.stdout or ():
                print(text.rstrip(), flush=True)
                if text.startswith(DONE):
                    status = int(text.removeprefix(DONE))
        finally:
            late.cancel()
            machine.kill()
    if status:
        print(Path(f"{sock}.console").read_text(errors="replace")[-4000:], file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
