# SPDX-License-Identifier: Apache-2.0
"""Disks in the container's own layer: what a guest writes stays with its container."""

from __future__ import annotations

import posix

from urunc import qcow2
from urunc.host import binds, files, image, syscalls
from urunc_common.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.bundle import User
    from urunc.operation import Overlay, PrivateCopy

_FLAGS = posix.O_RDWR | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC
_MODE = 0o600
_HEAD = 4096


def name(disk: str, fmt: str) -> str:
    """What the file for a disk of the monitor's root is called in the container's layer."""
    return f".urunc-{disk.lstrip('/')}.{fmt}"


def bind(operation: Overlay, root: str, image_root: int, user: User) -> None:
    """Show the overlay over a file of the monitor's root, made if it is not there yet."""
    size = posix.stat(f"{root}{operation.backing}").st_size
    disk = _open_overlay(image_root, name(operation.target, "qcow2"), size, operation.backing)
    _bind(disk, f"{root}{operation.target}", user)


def bind_copy(operation: PrivateCopy, root: str, image_root: int, user: User) -> None:
    """Show the copy of a file of the monitor's root, made if it is not there yet."""
    disk = _open_copy(image_root, name(operation.target, "raw"), f"{root}{operation.backing}")
    _bind(disk, f"{root}{operation.target}", user)


def _bind(disk: int, target: str, user: User) -> None:
    try:
        posix.fchown(disk, user.uid, user.gid)
        binds.bind_file(disk, target, readonly=False)
    finally:
        posix.close(disk)


def _open_copy(image_root: int, copy: str, source: str) -> int:
    directory = syscalls.open_tree(image_root, "", syscalls.AT_EMPTY_PATH | syscalls.OPEN_TREE_CLOEXEC)
    try:
        made = posix.open(copy, _FLAGS, _MODE, dir_fd=directory)
    except FileExistsError:
        return image.open_file(image_root, f"/{copy}", what="disk", writable=True)
    else:
        return _filled(made, copy, source, directory)
    finally:
        posix.close(directory)


def _filled(made: int, copy: str, source: str, directory: int) -> int:
    original = posix.open(source, posix.O_RDONLY | posix.O_CLOEXEC)
    try:
        files.copy_sparse(original, made)
    except OSError:
        posix.unlink(copy, dir_fd=directory)
        raise
    finally:
        posix.close(original)
    return made


def _open_overlay(image_root: int, overlay: str, size: int, backing: str) -> int:
    """The overlay of an earlier start, or a new one: a container keeps what its guest wrote."""
    directory = syscalls.open_tree(image_root, "", syscalls.AT_EMPTY_PATH | syscalls.OPEN_TREE_CLOEXEC)
    try:
        return _make_overlay(directory, overlay, qcow2.render(size, backing))
    except FileExistsError:
        return _open_own_overlay(image_root, overlay, backing)
    finally:
        posix.close(directory)


def _make_overlay(directory: int, overlay: str, content: bytes) -> int:
    created = posix.open(overlay, _FLAGS, _MODE, dir_fd=directory)
    try:
        files.write_all(created, content)
    except OSError:
        posix.unlink(overlay, dir_fd=directory)
        raise
    return created


def _open_own_overlay(image_root: int, overlay: str, backing: str) -> int:
    found = image.open_file(image_root, f"/{overlay}", what="disk overlay", writable=True)
    if posix.fstat(found).st_nlink == 1 and qcow2.is_overlay(posix.pread(found, _HEAD, 0), backing):
        return found
    posix.close(found)
    raise ConfigError(
        f"/{overlay} of the image is not a disk overlay that urunc made", hint="remove it from the image"
    )
