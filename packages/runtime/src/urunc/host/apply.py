# SPDX-License-Identifier: Apache-2.0
"""Makes the monitor's root as `rootfs.operations` lists it, inside the container's mount namespace."""

from __future__ import annotations

import posix

from urunc import qcow2, rootfs
from urunc.errors import HostError
from urunc.host import files, image, syscalls
from urunc_common.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from urunc.bundle import User

_TREE = syscalls.MOUNT_ATTR_RDONLY | syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NODEV
_FILE = syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NODEV | syscalls.MOUNT_ATTR_NOEXEC
_CLONE = syscalls.OPEN_TREE_CLONE | syscalls.OPEN_TREE_CLOEXEC
_AT_FDCWD = -100
_TOP_LEVEL = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
_OVERLAY_MODE = 0o600
_OVERLAY_HEAD = 4096


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


def apply(operations: Iterable[rootfs.Operation], target: str, image_root: int, user: User) -> None:
    """Make the root in `target`, a directory that becomes a mount point.  Raises HostError, ConfigError."""
    try:
        flags = syscalls.MS_NOSUID | syscalls.MS_NOEXEC
        syscalls.mount("tmpfs", target, "tmpfs", flags, "mode=0755,size=1m")
        for operation in operations:
            _apply_one(operation, target, image_root, user)
        remount = syscalls.MS_REMOUNT | syscalls.MS_BIND | syscalls.MS_RDONLY
        syscalls.mount("", target, "", remount | flags)
    except OSError as error:
        raise HostError(f"make the monitor's root: {error.filename or target}", error) from error


def pivot(target: str) -> None:
    """Make `target` the root of this mount namespace, and let go of the old one."""
    try:
        posix.chdir(target)
        syscalls.pivot_root(".", ".")
        syscalls.umount2(".", syscalls.MNT_DETACH)
        posix.chdir("/")
    except OSError as error:
        raise HostError("change the root to the monitor's", error) from error


def _apply_one(operation: rootfs.Operation, root: str, image_root: int, user: User) -> None:
    target = f"{root}{operation.target}"
    if isinstance(operation, rootfs.Directory):
        posix.mkdir(target, 0o755)
    elif isinstance(operation, rootfs.Link):
        posix.symlink(operation.content, target)
    elif isinstance(operation, rootfs.HostTree):
        _bind_tree(operation.source, target)
    elif isinstance(operation, rootfs.Device):
        _make_node(operation.target, target, user)
    elif isinstance(operation, rootfs.Overlay):
        _bind_overlay(operation, target, image_root, user)
    else:
        _bind_image_file(operation, target, image_root, user)


def _bind_tree(source: str, target: str) -> None:
    tree = syscalls.open_tree(_AT_FDCWD, source, _CLONE | syscalls.AT_RECURSIVE)
    try:
        syscalls.mount_setattr(tree, syscalls.AT_RECURSIVE, _TREE)
        _make_mount_point(tree, target)
        syscalls.move_mount(tree, target)
    finally:
        posix.close(tree)


def _bind_image_file(operation: rootfs.ImageFile, target: str, image_root: int, user: User) -> None:
    file = image.open_file(image_root, operation.source, what=operation.what, writable=operation.writable)
    try:
        image.require_readable(file, user, what=operation.what, path=operation.source)
        if operation.writable:
            posix.fchown(file, user.uid, user.gid)
        _bind_file(file, target, readonly=not operation.writable)
    finally:
        posix.close(file)


def _bind_overlay(operation: rootfs.Overlay, target: str, image_root: int, user: User) -> None:
    base = image.open_file(image_root, operation.image, what="block image")
    size = posix.fstat(base).st_size
    posix.close(base)
    overlay = _open_overlay(image_root, size, operation.backing)
    try:
        posix.fchown(overlay, user.uid, user.gid)
        _bind_file(overlay, target, readonly=False)
    finally:
        posix.close(overlay)


def _open_overlay(image_root: int, size: int, backing: str) -> int:
    """The overlay of an earlier start, or a new one: a container keeps what its guest wrote."""
    directory = syscalls.open_tree(image_root, "", syscalls.AT_EMPTY_PATH | syscalls.OPEN_TREE_CLOEXEC)
    try:
        return _make_overlay(directory, qcow2.render(size, backing))
    except FileExistsError:
        return _open_own_overlay(image_root, backing)
    finally:
        posix.close(directory)


def _make_overlay(directory: int, content: bytes) -> int:
    flags = posix.O_RDWR | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC
    created = posix.open(rootfs.OVERLAY_NAME, flags, _OVERLAY_MODE, dir_fd=directory)
    try:
        files.write_all(created, content)
    except OSError:
        posix.unlink(rootfs.OVERLAY_NAME, dir_fd=directory)
        raise
    return created


def _open_own_overlay(image_root: int, backing: str) -> int:
    name = f"/{rootfs.OVERLAY_NAME}"
    found = image.open_file(image_root, name, what="disk overlay", writable=True)
    if posix.fstat(found).st_nlink == 1 and qcow2.is_overlay(posix.pread(found, _OVERLAY_HEAD, 0), backing):
        return found
    posix.close(found)
    raise ConfigError(
        f"{name} of the image is not a disk overlay that urunc made", hint="remove it from the image"
    )


def _bind_file(file: int, target: str, *, readonly: bool) -> None:
    tree = syscalls.open_tree(file, "", _CLONE | syscalls.AT_EMPTY_PATH)
    try:
        syscalls.mount_setattr(tree, 0, _FILE | (syscalls.MOUNT_ATTR_RDONLY if readonly else 0))
        _make_mount_point(tree, target)
        syscalls.move_mount(tree, target)
    finally:
        posix.close(tree)


def _make_mount_point(tree: int, target: str) -> None:
    if posix.fstat(tree).st_mode & 0o170000 != 0o040000:
        files.make_directories(target.rpartition("/")[0])
        posix.close(posix.open(target, posix.O_CREAT | posix.O_WRONLY | posix.O_CLOEXEC, 0o444))
        return
    files.make_directories(target)


def _make_node(source: str, target: str, user: User) -> None:
    files.make_directories(target.rpartition("/")[0])
    found = posix.stat(source)
    posix.mknod(target, found.st_mode & 0o170000 | 0o600, found.st_rdev)
    posix.chown(target, user.uid, user.gid)
