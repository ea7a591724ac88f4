# SPDX-License-Identifier: Apache-2.0
"""Taking a container's root off the host while the guest has its device: two kernels must not write to one
file system.  What was taken is in the state first, so that `delete` can give it back.
"""

from __future__ import annotations

import posix

from urunc import mountinfo
from urunc.errors import HostError
from urunc.host import files, loop, storage, syscalls

_FLAGS = {
    "ro": syscalls.MS_RDONLY, "nosuid": syscalls.MS_NOSUID, "nodev": syscalls.MS_NODEV,
    "noexec": syscalls.MS_NOEXEC, "noatime": 1024, "nodiratime": 2048, "relatime": 1 << 21,
}  # fmt: skip


def look(rootfs: str) -> tuple[str, ...]:
    """What `attach` needs to mount it again: device, mount point, file system, flags and options; and whether
    it is a loop device that is to end when it is unmounted.
    """
    mount = storage.mount_of(rootfs)
    if mount is None:
        raise HostError(f"find the device of {rootfs}", OSError(2, "nothing is mounted there"))
    options = ",".join(option for option in mount.super_options if option not in ("rw", "ro"))
    ends = "ends" if loop.set_autoclear(mount.source, wanted=False) else ""
    return mount.source, mount.mount_point, mount.fstype, ",".join(mount.options), options, ends


def detach(mounted: tuple[str, ...]) -> None:
    """Unmount it everywhere.  Raises HostError, and then it is mounted as before."""
    device, mount_point, *_, ends = mounted
    try:
        syscalls.umount2(mount_point, 0)
    except OSError as error:
        loop.set_autoclear(device, wanted=bool(ends))
        raise HostError(f"unmount {mount_point} to give {device} to the guest", error) from error
    try:
        posix.close(posix.open(device, posix.O_RDWR | posix.O_EXCL | posix.O_CLOEXEC))
    except OSError as error:
        attach(mounted)
        raise HostError(f"give {device} to the guest alone", error) from error


def attach(mounted: tuple[str, ...]) -> None:
    """Mount it again, unless it is or its place has gone.  Raises HostError."""
    if not mounted:
        return
    device, mount_point, fstype, flags, options, ends = mounted
    if not files.exists(mount_point) or mountinfo.at(storage.mounts(), mount_point):
        return
    bits = sum(_FLAGS.get(flag, 0) for flag in flags.split(","))
    try:
        syscalls.mount(device, mount_point, fstype, bits, options)
        if ends:
            loop.set_autoclear(device, wanted=True)
    except OSError as error:
        raise HostError(f"mount {device} at {mount_point} again", error) from error
