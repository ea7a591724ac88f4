# SPDX-License-Identifier: Apache-2.0
"""What this machine can do, found by trying; a test says what it needs with `require("root", "qemu")`.

A missing capability skips the test on a laptop. It fails the test where the environment variable REQUIRE
(a comma-separated list, as continuous integration sets it) names the capability.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from urunc.host import kvm, labels

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parent.parent
# Our own downloads come first, then the login path; daemons live in sbin, which a user's PATH may lack.
SEARCH = os.pathsep.join(
    [str(ROOT / ".cache/bin"), os.environ.get("PATH", ""), "/usr/local/sbin:/usr/sbin:/sbin"]
)
VIRTIOFSD_FOLDERS = ("/usr/libexec", "/usr/lib/qemu", "/usr/lib")
CNI_FOLDERS = ("/usr/lib/cni", "/opt/cni/bin")
UIDMAP = ("newuidmap", "newgidmap")
SOLO5_TENDERS = ("solo5-hvt", "solo5-spt")


def program(name: str) -> str | None:
    """The path of an installed program, also when it is in sbin or was downloaded by scripts/setup."""
    return shutil.which(name, path=SEARCH)


def solo5(name: str) -> str | None:
    """The path of a Solo5 tender: in $SOLO5_HOME (a prefix or a source tree), or on PATH."""
    home = os.environ.get("SOLO5_HOME")
    if not home:
        return program(name)
    folders = (home, f"{home}/bin", f"{home}/tenders/{name.removeprefix('solo5-')}")
    return shutil.which(name, path=os.pathsep.join(folders))


def cni_folder() -> str | None:
    """The folder that has the CNI plugins."""
    return next((folder for folder in CNI_FOLDERS if os.access(f"{folder}/bridge", os.X_OK)), None)


def virtiofsd() -> str | None:
    """The server of shared directories, which is not on PATH."""
    return shutil.which("virtiofsd", path=os.pathsep.join(VIRTIOFSD_FOLDERS))


def _runs(*argv: str) -> str:
    """An empty string when the command succeeds, else what went wrong."""
    path = program(argv[0])
    if path is None:
        return f"{argv[0]} is not installed"
    done = subprocess.run([path, *argv[1:]], capture_output=True, text=True, check=False, timeout=60)
    return "" if done.returncode == 0 else f"{' '.join(argv)}: {(done.stderr or done.stdout).strip()}"


def _all(*commands: tuple[str, ...]) -> str:
    return next(filter(None, (_runs(*command) for command in commands)), "")


def _root() -> str:
    if os.geteuid() != 0:
        return "this is not root"
    return _runs("unshare", "--mount", "--net", "true")


def _solo5() -> str:
    missing = [name for name in SOLO5_TENDERS if solo5(name) is None]
    return f"{', '.join(missing)} not found in SOLO5_HOME or PATH" if missing else ""


PROBES: dict[str, Callable[[], str]] = {
    "root": _root,
    "qemu": lambda: _runs("qemu-system-x86_64", "--version"),
    "qemu-arm": lambda: _runs("qemu-system-aarch64", "--version"),
    "cloud-hypervisor": lambda: _runs("cloud-hypervisor", "--version"),
    "firecracker": lambda: _runs("firecracker", "--version"),
    "qemu-utils": lambda: _all(("qemu-img", "--version"), ("qemu-io", "--version")),
    "kvm": lambda: "" if kvm.measure() else "there is no KVM, or one that emulates every instruction",
    "nft": lambda: _runs("nft", "--version"),
    "gcc": lambda: _runs("gcc", "--version"),
    "runc": lambda: _runs("runc", "--version"),
    "crun": lambda: _runs("crun", "--version"),
    "containerd": lambda: _all(("containerd", "--version"), ("ctr", "--version"), ("runc", "--version")),
    "nerdctl": lambda: _runs("nerdctl", "--version"),
    "docker": lambda: _all(("dockerd", "--version"), ("docker", "--version")),
    "registry": lambda: _runs("docker-registry", "--version"),
    "skopeo": lambda: _runs("skopeo", "--version"),
    "buildah": lambda: _runs("buildah", "--version"),
    "podman": lambda: _runs("podman", "--version"),
    "cpio": lambda: _runs("cpio", "--version"),
    "e2fsprogs": lambda: _all(("mke2fs", "-V"), ("debugfs", "-V"), ("e2fsck", "-V")),
    "erofs-utils": lambda: _all(("mkfs.erofs", "--help"), ("fsck.erofs", "--help")),
    "zstd": lambda: _runs("zstd", "--version"),
    "umoci": lambda: _runs("umoci", "--version"),
    "cni": lambda: "" if cni_folder() else f"no CNI plugins in {' or '.join(CNI_FOLDERS)}",
    "strace": lambda: _runs("strace", "-qq", "-o", "/dev/null", "true"),
    "uidmap": lambda: next((f"{name} is not installed" for name in UIDMAP if program(name) is None), ""),
    "apparmor": lambda: "" if labels.has_apparmor() else "AppArmor is not enabled",
    "sys-resource": lambda: _runs("prlimit", "--nofile=1048576:1048576", "true"),
    "busybox": lambda: _runs("busybox", "true"),
    "linux-kernel": lambda: _all(("apt-get", "--version"), ("depmod", "--version"), ("lz4", "--version")),
    "virtiofsd": lambda: "" if virtiofsd() else f"no virtiofsd in {' or '.join(VIRTIOFSD_FOLDERS)}",
    "solo5": _solo5,
    "systemd": lambda: "" if Path("/run/systemd/system").exists() else "systemd does not run here",
}


@cache
def missing(name: str) -> str:
    """Why this machine lacks a capability; empty when it has it."""
    return PROBES[name]()


def required() -> set[str]:
    """The capabilities that must not be missing here."""
    names = {name.strip() for name in os.environ.get("REQUIRE", "").split(",")} - {""}
    if unknown := names - PROBES.keys():
        raise pytest.UsageError(f"REQUIRE names no such capability: {', '.join(sorted(unknown))}")
    return names


def require(*names: str) -> None:
    """Skip the test unless the machine has every capability; fail it if REQUIRE names the missing one."""
    __tracebackhide__ = True
    for name in names:
        if reason := missing(name):
            end = pytest.fail if name in required() else pytest.skip
            end(f"needs {name}: {reason}")
