# SPDX-License-Identifier: Apache-2.0
"""Makes the monitor's root as `rootfs.operations` lists it, inside the container's mount namespace."""

from __future__ import annotations

import posix

from urunc import rootfs
from urunc.errors import HostError
from urunc.host import binds, files, image, new_file, overlay, syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from urunc.bundle import User

_TOP_LEVEL = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")
# Of the files in memory; it takes only what they have.
_SIZE = "64m"


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


def apply(operations: Iterable[rootfs.Operation], target: str, image_root: int, user: User) -> dict[str, int]:
    """Make the root in `target`, a directory that becomes a mount point.  Raises HostError, ConfigError.

    Returns the descriptors of the new files, which can still be written.
    """
    made: dict[str, int] = {}
    try:
        flags = syscalls.MS_NOSUID | syscalls.MS_NOEXEC
        syscalls.mount("tmpfs", target, "tmpfs", flags, f"mode=0755,size={_SIZE}")
        for operation in operations:
            if isinstance(operation, rootfs.NewFile):
                made[operation.target] = new_file.make(operation, target, image_root, user)
            else:
                _apply_one(operation, target, image_root, user)
        remount = syscalls.MS_REMOUNT | syscalls.MS_BIND | syscalls.MS_RDONLY
        syscalls.mount("", target, "", remount | flags)
    except OSError as error:
        raise HostError(f"make the monitor's root: {error.filename or target}", error) from error
    return made


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
        binds.bind_tree(operation.source, target)
    elif isinstance(operation, rootfs.Device):
        _make_node(operation.target, target, user)
    elif isinstance(operation, rootfs.Overlay):
        overlay.bind(operation, target, image_root, user)
    elif isinstance(operation, rootfs.ImageFile):
        _bind_image_file(operation, target, image_root, user)


def _bind_image_file(operation: rootfs.ImageFile, target: str, image_root: int, user: User) -> None:
    file = image.open_file(image_root, operation.source, what=operation.what, writable=operation.writable)
    try:
        image.require_readable(file, user, what=operation.what, path=operation.source)
        if operation.writable:
            posix.fchown(file, user.uid, user.gid)
        binds.bind_file(file, target, readonly=not operation.writable)
    finally:
        posix.close(file)


def _make_node(source: str, target: str, user: User) -> None:
    files.make_directories(target.rpartition("/")[0])
    found = posix.stat(source)
    posix.mknod(target, found.st_mode & 0o170000 | 0o600, found.st_rdev)
    posix.chown(target, user.uid, user.gid)
