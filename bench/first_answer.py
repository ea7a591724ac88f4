# SPDX-License-Identifier: Apache-2.0
"""How long a web server on a Linux guest takes to its first answer: under urunc, and under QEMU alone.

Everybody boots the same kernel with the same archives, in turn, under emulation; the times go out as JSON.

    python bench/first_answer.py ROUNDS URUNC
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
EXAMPLE = ROOT / "examples/linux-httpd/out"
SOURCES = [ROOT / "packages/common/src", ROOT / "tests"]
PROGRAM = ("/bin/busybox", "httpd", "-f", "-p", "80", "-h", "/www")
MAC = "52:54:00:12:34:56"
PATIENCE_S = 60
COMMON = "-nodefaults -no-user-config -display none -no-reboot -m 256 -serial stdio -cpu max"
QUIET = "panic=-1 console=ttyS0 quiet cryptomgr.notests"
Start = Callable[[Path, int], subprocess.Popen[bytes]]

sys.path[:0] = map(str, SOURCES)

import linux_kernel  # noqa: E402

from urunc_common import guest  # noqa: E402


def tsc() -> str:
    """An emulated timer is too unsteady for the kernel to measure its clock against."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    mhz = next(float(line.split(":")[1]) for line in lines if line.startswith("cpu MHz"))
    return f"tsc_early_khz={int(mhz * 1000)}"


def initrd(folder: Path) -> Path:
    """The example's, and what urunc puts behind it."""
    interface = guest.Interface(MAC, 1500, "eth0", ("10.0.2.15/24",), (guest.Route("default", "10.0.2.2"),))
    config = guest.GuestConfig(PROGRAM, hostname="urunc", interfaces=(interface,))
    init = Path(guest.init_file("x86_64")).read_bytes()
    own = (EXAMPLE / "initrd").read_bytes()
    path = folder / "initrd"
    path.write_bytes(own + bytes(-len(own) % 4) + guest.initramfs(config, init))
    return path


def bare(machine: str, kernel: Path, *, bus: str, more: tuple[str, ...] = (), words: str = QUIET) -> Start:
    """A command line of QEMU's, as somebody would write it who wants a quick boot."""

    def start(folder: Path, port: int) -> subprocess.Popen[bytes]:
        network = ["-netdev", f"user,id=n,hostfwd=tcp:127.0.0.1:{port}-:80"]
        device = ["-device", f"virtio-net-{bus},netdev=n,mac={MAC}" + (",romfile=" if bus == "pci" else "")]
        boot = ["-kernel", str(kernel), "-initrd", str(initrd(folder))]
        line = ["-append", f"{words} {tsc()} rdinit={guest.INIT}"]
        argv = ["qemu-system-x86_64", "-M", f"{machine},accel=tcg", *COMMON.split(" "), *more]
        argv += [*boot, *line, *network, *device]
        return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    return start


def ours(urunc: str) -> Start:
    """create and start, as an engine calls them; the guest belongs to a process that only waits."""

    def start(folder: Path, port: int) -> subprocess.Popen[bytes]:
        write_bundle(folder, port)
        command = f"{urunc} --root {folder}/state"
        script = (
            f"{command} create --bundle {folder} c && {command} start c && read x; "
            f"{command} delete --force c; rmdir {folder}/state"
        )
        environment = {**os.environ, "URUNC_CONFIG_FILE": str(folder / "config.toml")}
        return subprocess.Popen(
            ["sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, env=environment
        )

    return start


def write_bundle(folder: Path, port: int) -> None:
    """The example's container, whose web server is reached at a port of this host."""
    rootfs = folder / "rootfs"
    rootfs.mkdir()
    for name in ("vmlinux", "initrd"):
        os.link(EXAMPLE / name, rootfs / name)
    said = {"unikernelType": "linux", "hypervisor": "qemu", "binary": "/vmlinux", "initrd": "/initrd"}
    config = {
        "ociVersion": "1.0.2",
        "process": {"cwd": "/", "args": PROGRAM, "env": [], "user": {"uid": 0, "gid": 0}},
        "root": {"path": "rootfs"},
        "annotations": {
            **{f"com.urunc.unikernel.{key}": value for key, value in said.items()},
            "run.urunc.network": f"user,tcp:{port}:80",
        },
        "linux": {"namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount")]},
    }
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "config.toml").write_text('[monitors.qemu]\naccel = "tcg"\n')


def answers(port: int) -> bool:
    """Whether the web server answers."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=0.05) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return client.recv(4) == b"HTTP"
    except OSError:
        return False


@contextmanager
def running(start: Start, folder: Path, port: int) -> Iterator[None]:
    process = start(folder, port)
    try:
        yield
    finally:
        if process.stdin:
            process.stdin.close()
        else:
            process.kill()
        process.wait()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def seconds(start: Start) -> float:
    """From the beginning to the first answer."""
    folder, port = Path(tempfile.mkdtemp(dir=ROOT / ".cache")), free_port()
    try:
        begin = time.monotonic()
        with running(start, folder, port):
            while not answers(port):
                if time.monotonic() - begin > PATIENCE_S:
                    raise TimeoutError(f"no answer within {PATIENCE_S} s")
                time.sleep(0.002)
            return time.monotonic() - begin
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def contestants(urunc: str) -> dict[str, Start]:
    """urunc first, then QEMU in the ways that are known to be quick."""
    kernel = EXAMPLE / "vmlinux"
    packed = next((linux_kernel.kernel("x86_64").folder / "boot").glob("vmlinuz-*"))
    modern = ("-global", "virtio-mmio.force-legacy=false")
    lean = f"{QUIET} nokaslr mitigations=off 8250.nr_uarts=1"
    return {
        "urunc": ours(urunc),
        "microvm": bare("microvm", kernel, bus="device", more=modern),
        "microvm, more kernel options": bare("microvm", kernel, bus="device", more=modern, words=lean),
        "microvm, packed kernel": bare("microvm", packed, bus="device", more=modern),
        "q35": bare("q35", kernel, bus="pci"),
        "pc": bare("pc", kernel, bus="pci"),
    }


def main(rounds: int, urunc: str) -> None:
    """Print {NAME: [seconds]}."""
    starts = contestants(urunc)
    taken: dict[str, list[float]] = {name: [] for name in starts}
    for _ in range(rounds):
        for name, start in starts.items():
            taken[name].append(seconds(start))
    print(json.dumps(taken))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
