# SPDX-License-Identifier: Apache-2.0
"""What there is on the host to make a guest's root file system of."""

from __future__ import annotations

import posix

from urunc import mountinfo
from urunc.host import files, process
from urunc.roots import Candidates

# Where Debian and others have it; it is not meant to be called by people, so not on PATH.
_VIRTIOFSD = ("/usr/libexec/virtiofsd", "/usr/lib/virtiofsd", "/usr/lib/qemu/virtiofsd")
_SBIN = "/usr/sbin:/sbin:/usr/bin:/bin"
_IFMT, _IFBLK = 0o170000, 0o060000


def mounts() -> tuple[mountinfo.Mount, ...]:
    """Those of this mount namespace."""
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return mountinfo.parse(file.read())


def mount_of(rootfs: str) -> mountinfo.Mount | None:
    """What is mounted at a container's root."""
    return mountinfo.at(mounts(), files.resolve(rootfs))


def find(rootfs: str, virtiofsd: str) -> Candidates:
    """Look at a container's root, and for the programs that could offer or pack it."""
    mount = mount_of(rootfs)
    alone = mount is not None and [other.device for other in mounts()].count(mount.device) == 1
    usable = mount is not None and alone and mount.root == "/" and _is_block_device(mount.source)
    return Candidates(
        device=mount.source if mount and usable else "",
        fstype=mount.fstype if mount and usable else "",
        virtiofsd=bool(virtiofsd),
        mke2fs=bool(process.search("mke2fs", _SBIN)),
    )


def find_virtiofsd(configured: str) -> str:
    """The program's path, links resolved, or "" where there is none."""
    if configured:
        found = configured if posix.access(configured, posix.X_OK) else ""
    else:
        installed = (path for path in _VIRTIOFSD if posix.access(path, posix.X_OK))
        found = next(installed, "") or process.search("virtiofsd", _SBIN)
    return files.resolve(found) if found else ""


def _is_block_device(path: str) -> bool:
    try:
        return posix.stat(path).st_mode & _IFMT == _IFBLK
    except OSError:
        return False
