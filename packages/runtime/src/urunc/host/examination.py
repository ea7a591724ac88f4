# SPDX-License-Identifier: Apache-2.0
"""What there is on this host: the kernel, its devices, monitors, cgroups, and engines."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

from urunc import diagnosis
from urunc.diagnosis import Finding, has, lacks
from urunc.host import cgroups, kvm, nftables
from urunc.host.netlink import NETFILTER
from urunc.host.netns import open_in
from urunc_common.errors import Error

if TYPE_CHECKING:
    from collections.abc import Iterator

    from urunc.settings import Settings

CONTAINERD, DOCKER = Path("/etc/containerd/config.toml"), Path("/etc/docker/daemon.json")
_ANSWER_S = 10
_PROGRAMS = {
    "qemu": f"qemu-system-{os.uname().machine}",
    "firecracker": "firecracker",
    "cloud-hypervisor": "cloud-hypervisor",
    "hvt": "solo5-hvt",
    "spt": "solo5-spt",
}
_OTHERS = {
    "containerd": "for engines that use it, install containerd",
    "containerd-shim-urunc-v2": "for io.containerd.urunc.v2, put it into the PATH of containerd",
    "dockerd": "for docker, install it",
    "podman": "for podman, install it",
}


def examine(settings: Settings, containerd: Path = CONTAINERD, docker: Path = DOCKER) -> Iterator[Finding]:
    """All of it."""
    yield diagnosis.kernel(os.uname().release)
    yield _kvm()
    yield _device("tun", "/dev/net/tun", "load the module tun")
    yield _device("vhost-net", "/dev/vhost-net", "load the module vhost_net")
    yield _device("vhost-vsock", "/dev/vhost-vsock", "load the module vhost_vsock")
    yield _nftables()
    yield _cgroups()
    yield from _monitors(settings)
    yield _program("ordinary containers", settings.delegate, f"install {settings.delegate}")
    for name, remedy in _OTHERS.items():
        yield _program(name, name, remedy)
    if shutil.which("containerd") or containerd.exists():
        yield from _configuration(containerd, "containerd configuration")
    if shutil.which("dockerd") or docker.exists():
        yield from _configuration(docker, "docker configuration")


def _kvm() -> Finding:
    if not os.path.exists("/dev/kvm"):
        return lacks("kvm", "no /dev/kvm", "QEMU emulates; switch virtualization on in the firmware")
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return lacks("kvm", "/dev/kvm cannot be opened", "run as root, or join the group kvm")
    if kvm.measure():
        return has("kvm", "runs guests on the processor")
    found = "/dev/kvm is there, but emulates every instruction or does not work"
    return lacks("kvm", found, "QEMU emulates faster by itself, which accel = auto chooses")


def _device(name: str, path: str, remedy: str) -> Finding:
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC))
    except OSError as error:
        return lacks(name, f"{path}: {error.strerror}", remedy, needed=name == "tun")
    return has(name, path)


def _nftables() -> Finding:
    try:
        with open_in("/proc/self/ns/net", NETFILTER) as socket:  # type: ignore[union-attr]  # it is there
            nftables.tables(socket)
    except (OSError, Error) as error:
        return lacks("nftables", str(error), "for pods, use a kernel with nf_tables")
    return has("nftables", "answers")


def _cgroups() -> Finding:
    found = sorted({hierarchy.mount_point for hierarchy in cgroups.find()})
    version = "2" if os.path.exists("/sys/fs/cgroup/cgroup.controllers") else "1"
    said = f"version {version}: {', '.join(found)}"
    return Finding("cgroups", said, "mount /sys/fs/cgroup", good=bool(found), needed=True)


def _monitors(settings: Settings) -> Iterator[Finding]:
    remedy = "for its guests, install it"
    found = [
        _program(f"monitor {name}", settings.monitors[name].path or program, remedy)
        for name, program in _PROGRAMS.items()
    ]
    yield from found
    if not any(one.good for one in found):
        yield lacks("monitors", "there is none", "install qemu-system-x86 or another", needed=True)


def _program(name: str, program: str, remedy: str) -> Finding:
    path = shutil.which(program)
    if not path:
        return lacks(name, f"{program} is not installed", remedy)
    return has(name, f"{path} {_version(path)}".rstrip())


def _version(path: str) -> str:
    if path.endswith("-v2"):
        return ""
    try:
        done = subprocess.run(
            [path, "--version"], capture_output=True, stdin=subprocess.DEVNULL, timeout=_ANSWER_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"which does not say its version: {error}"
    lines = done.stdout.decode(errors="replace").splitlines()
    return f"({lines[0].strip()})" if lines else ""


def _configuration(path: Path, name: str) -> Iterator[Finding]:
    try:
        text = path.read_text()
    except FileNotFoundError:
        text = ""
    except (OSError, UnicodeError) as error:
        yield lacks(name, f"cannot read {path}: {error}", "repair it", needed=True)
        return
    if name.startswith("docker"):
        yield diagnosis.docker(text, _is_executable)
    else:
        yield from diagnosis.containerd(text, _is_executable)


def _is_executable(path: str) -> bool:
    return bool(path and shutil.which(path))
