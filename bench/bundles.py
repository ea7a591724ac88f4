# SPDX-License-Identifier: Apache-2.0
"""The bundles that the runtimes are measured with: the same for all, but for the program that they run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).resolve().parent.parent
# What stands in for the monitor and for an ordinary program alike: it costs nothing of its own.
PROGRAMS = {
    "wait": "int main(void) { for (;;) pause(); }",
    "end": "int main(void) { return 0; }",
}
NAMESPACE = f"urunc-bench-{os.getpid()}"
ANNOTATIONS = {"unikernelType": "generic", "hypervisor": "qemu", "binary": "/kernel"}
CAPABILITIES = ["CAP_CHOWN", "CAP_KILL", "CAP_SETUID", "CAP_SETGID", "CAP_NET_BIND_SERVICE"]
MASKED = ["/proc/acpi", "/proc/kcore", "/proc/keys", "/proc/timer_list", "/proc/scsi", "/sys/firmware"]
READONLY = ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]
MOUNTS = [
    ("/dev", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
    ("/dev/pts", "devpts", ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]),
    ("/dev/shm", "tmpfs", ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]),
    ("/dev/mqueue", "mqueue", ["nosuid", "noexec", "nodev"]),
    ("/sys", "sysfs", ["nosuid", "noexec", "nodev", "ro"]),
    ("/run", "tmpfs", ["nosuid", "strictatime", "mode=755", "size=65536k"]),
]
DEVICES = [
    {"allow": False, "access": "rwm"},
    *({"allow": True, "type": "c", "major": 1, "minor": minor, "access": "rwm"} for minor in (3, 5, 7, 8, 9)),
    {"allow": True, "type": "c", "major": 136, "access": "rwm"},
]
SECCOMP = {
    "defaultAction": "SCMP_ACT_ALLOW",
    "architectures": ["SCMP_ARCH_X86_64"],
    "syscalls": [{"names": ["reboot", "swapon", "swapoff", "kexec_load"], "action": "SCMP_ACT_ERRNO"}],
}


def build_programs(folder: Path) -> None:
    """`wait` and `end`, statically linked, in `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, source in PROGRAMS.items():
        command = ["gcc", "-O2", "-static", "-include", "unistd.h", "-x", "c", "-", "-o", str(folder / name)]
        subprocess.run(command, input=source, text=True, check=True)


def minimal(name: str, program: str) -> dict[str, Any]:
    """Namespaces, a root and a program."""
    process = {"cwd": "/", "args": [f"/{program}"], "env": ["PATH=/"], "user": {"uid": 0, "gid": 0}}
    kinds = ("pid", "ipc", "uts", "mount", "network")
    named = {f"com.urunc.unikernel.{key}": value for key, value in ANNOTATIONS.items()}
    return {
        "ociVersion": "1.0.2",
        "process": process,
        "root": {"path": "rootfs"},
        "mounts": [{"destination": "/proc", "type": "proc", "source": "proc", "options": []}],
        "annotations": named if name.startswith("urunc") else {},
        "linux": {"namespaces": [{"type": kind} for kind in kinds]},
    }


def with_network(config: dict[str, Any]) -> dict[str, Any]:
    """In the namespace of `network`, which has an interface."""
    kinds = [
        {**entry, "path": f"/run/netns/{NAMESPACE}"} if entry["type"] == "network" else entry
        for entry in config["linux"]["namespaces"]
    ]
    return {**config, "linux": {**config["linux"], "namespaces": kinds}}


def like_containerd(config: dict[str, Any]) -> dict[str, Any]:
    """With what containerd asks for on top."""
    sets = dict.fromkeys(("bounding", "effective", "permitted"), CAPABILITIES)
    limits = [{"type": "RLIMIT_NOFILE", "hard": 1024, "soft": 1024}]
    mounts = [
        {"destination": target, "type": kind, "source": kind, "options": options}
        for target, kind, options in MOUNTS
    ]
    process = {**config["process"], "capabilities": sets, "rlimits": limits, "noNewPrivileges": True}
    resources = {"devices": DEVICES, "memory": {"limit": 512 << 20}, "cpu": {"shares": 1024}}
    paths = {"maskedPaths": MASKED, "readonlyPaths": READONLY}
    linux = {**config["linux"], **paths, "resources": resources}
    return {**config, "process": process, "mounts": [*config["mounts"], *mounts], "linux": linux}


def with_everything(config: dict[str, Any]) -> dict[str, Any]:
    """With hooks, a network, a limit on processes and a seccomp profile, too."""
    config = with_network(like_containerd(config))
    resources = {**config["linux"]["resources"], "pids": {"limit": 256}}
    hooks = {stage: [{"path": "/bin/true"}] for stage in ("createRuntime", "poststop")}
    return {
        **config,
        "hooks": hooks,
        "linux": {**config["linux"], "resources": resources, "seccomp": SECCOMP},
    }


KINDS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "minimal": dict,
    "network": with_network,
    "containerd": like_containerd,
    "everything": with_everything,
}


def write(folder: Path, common: Path, kind: str, name: str, program: str) -> None:
    """A bundle's directory, with the programs of `common` and a kernel in its root."""
    rootfs = folder / "rootfs"
    for directory in ("proc", "dev", "sys", "run"):
        (rootfs / directory).mkdir(parents=True, exist_ok=True)
    for file in PROGRAMS:
        shutil.copy(common / "programs" / file, rootfs / file)
    shutil.copy(ROOT / "examples/hello/out/hello", rootfs / "kernel")
    (folder / "config.json").write_text(json.dumps(KINDS[kind](minimal(name, program))))


@contextmanager
def network() -> Iterator[None]:
    """A network namespace with an interface that has an address."""
    inside = f"ip -n {NAMESPACE}"
    _run(f"ip netns add {NAMESPACE}")
    try:
        _run(f"{inside} link add eth0 type veth peer name peer0")
        _run(f"{inside} address add 10.77.0.2/24 dev eth0")
        for link in ("lo", "eth0", "peer0"):
            _run(f"{inside} link set {link} up")
        _run(f"{inside} route add default via 10.77.0.1")
        yield
    finally:
        _run(f"ip netns delete {NAMESPACE}")


def _run(command: str) -> None:
    subprocess.run(command.split(" "), check=True)
