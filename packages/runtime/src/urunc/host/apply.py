# SPDX-License-Identifier: Apache-2.0
"""Makes the monitor's root as `rootfs.operations` lists it, inside the container's mount namespace."""

from __future__ import annotations

import posix

from urunc.errors import HostError
from urunc.host import binds, files, new_file, overlay, shares, sockets, sources, syscalls
from urunc.operation import (
    ContainerTree,
    Device,
    Directory,
    HostFile,
    HostTree,
    ImageFile,
    Link,
    Listener,
    NewFile,
    Operation,
    Overlay,
    PrivateCopy,
    Proc,
    VolumeTree,
)  # fmt: skip
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    from urunc.bundle import User

_AT_FDCWD = -100
_CLONE = syscalls.OPEN_TREE_CLONE | syscalls.OPEN_TREE_CLOEXEC
_TOP_LEVEL = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_PROPAGATIONS = {
    "private": syscalls.MS_PRIVATE, "slave": syscalls.MS_SLAVE, "shared": syscalls.MS_SHARED,
    "unbindable": syscalls.MS_UNBINDABLE,
}  # fmt: skip
# Of the files in memory; it takes only what they have.
_SIZE = "64m"


class Place(Record):
    """Where the root is made, whose image it shows, and for whom; `writable` is the same root again."""

    root: str
    writable: int
    image: int
    user: User


def top_level_links() -> dict[str, str]:
    """Where the host's /bin, /lib... lead; "" for a directory of its own."""
    found = {}
    for name in _TOP_LEVEL:
        try:
            found[name] = posix.readlink(f"/{name}")
        except FileNotFoundError:
            continue
        except OSError:
            found[name] = ""
    return found


def apply(
    operations: Iterable[Operation], target: str, image_root: int, user: User, label: str = ""
) -> dict[str, int]:
    """Make the root in `target`, a directory that becomes a mount point; SELinux sees `label` on its files.

    Raises HostError, ConfigError.

    Returns descriptors: of new files, which can still be written, and of listening sockets.
    """
    made: dict[str, int] = {}
    try:
        flags = syscalls.MS_NOSUID | syscalls.MS_NOEXEC
        context = f',context="{label}"' if label else ""
        syscalls.mount("tmpfs", target, "tmpfs", flags, f"mode=0755,size={_SIZE}{context}")
        writable = syscalls.open_tree(_AT_FDCWD, target, _CLONE)
        place = Place(target, writable, image_root, user)
        for operation in operations:
            descriptor = _WAYS[type(operation)](operation, place)
            if descriptor is not None:
                made[operation.target] = descriptor
        remount = syscalls.MS_REMOUNT | syscalls.MS_BIND | syscalls.MS_RDONLY
        syscalls.mount("", target, "", remount | flags)
        posix.close(writable)
    except OSError as error:
        raise HostError(f"make the monitor's root: {error.filename or target}", error) from error
    return made


def pivot(target: str, propagation: str = "") -> None:
    """Make `target` the root of this mount namespace, and let go of the old one.

    `propagation` is as for `mount --make-`: what is mounted later comes by the ways that are open then.
    """
    try:
        posix.chdir(target)
        syscalls.pivot_root(".", ".")
        syscalls.umount2(".", syscalls.MNT_DETACH)
        posix.chdir("/")
        if propagation:
            recursive = syscalls.MS_REC if propagation.startswith("r") else 0
            syscalls.mount("", "/", "", recursive | _PROPAGATIONS[propagation.removeprefix("r")])
    except OSError as error:
        raise HostError("change the root to the monitor's", error) from error


def _make_directory(wanted: Directory, place: Place) -> None:
    files.make_directories(place.root + wanted.target)


def _make_link(wanted: Link, place: Place) -> None:
    posix.symlink(wanted.content, place.root + wanted.target)


def _bind_host_tree(wanted: HostTree, place: Place) -> None:
    binds.bind_tree(wanted.source, place.root + wanted.target)


def _make_node(wanted: Device, place: Place) -> None:
    target = place.root + wanted.target
    files.make_directories(target.rpartition("/")[0])
    source = wanted.source or wanted.target
    try:
        found = posix.stat(source)
    except OSError as error:
        raise HostError(f"find the device {source}", error) from error
    try:
        posix.mknod(target, found.st_mode & 0o170000 | 0o600, found.st_rdev)
    except PermissionError:
        # In a user namespace nobody makes one; the host's own is open to whom it is open to.
        binds.bind_tree(source, target, syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NOEXEC)
    else:
        posix.chown(target, place.user.uid, place.user.gid)


def _bind_source(wanted: ImageFile | HostFile, place: Place) -> None:
    file = sources.open_source(wanted, place.image, place.user)
    writable = isinstance(wanted, ImageFile) and wanted.writable
    try:
        if writable:
            posix.fchown(file, place.user.uid, place.user.gid)
        binds.bind_file(file, place.root + wanted.target, readonly=not writable)
    finally:
        posix.close(file)


def _bind_overlay(wanted: Overlay, place: Place) -> None:
    overlay.bind(wanted, place.root, place.image, place.user)


def _bind_copy(wanted: PrivateCopy, place: Place) -> None:
    overlay.bind_copy(wanted, place.root, place.image, place.user)


def _make_new_file(wanted: NewFile, place: Place) -> int:
    return new_file.make(wanted, place.root, place.writable, place.image, place.user)


def _bind_container(wanted: ContainerTree, place: Place) -> None:
    shares.bind_container(place.image, place.root + wanted.target, readonly=wanted.readonly)


def _bind_volume(wanted: VolumeTree, place: Place) -> None:
    shares.bind_volume(wanted, place.root)


def _listen(wanted: Listener, place: Place) -> int:
    return sockets.listen(place.root + wanted.target, place.user.uid, place.user.gid)


def _mount_proc(wanted: Proc, place: Place) -> None:
    shares.mount_proc(place.root + wanted.target)


_WAYS: Mapping[type, Callable[[Any, Place], int | None]] = {
    Directory: _make_directory,
    Link: _make_link,
    HostTree: _bind_host_tree,
    Device: _make_node,
    ImageFile: _bind_source,
    HostFile: _bind_source,
    Overlay: _bind_overlay,
    PrivateCopy: _bind_copy,
    NewFile: _make_new_file,
    ContainerTree: _bind_container,
    VolumeTree: _bind_volume,
    Listener: _listen,
    Proc: _mount_proc,
}
