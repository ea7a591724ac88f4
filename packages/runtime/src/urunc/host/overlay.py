# SPDX-License-Identifier: Apache-2.0
"""The overlay in the container's own layer that takes a disk's writes."""

from __future__ import annotations

import posix

from urunc import qcow2
from urunc.host import binds, files, image, syscalls
from urunc_common.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.bundle import User
    from urunc.operation import Overlay

_NAME = ".urunc-disk0.qcow2"
_MODE = 0o600
_HEAD = 4096


def bind(operation: Overlay, target: str, image_root: int, user: User) -> None:
    """Show it at a path of the monitor's root, made if it is not there yet."""
    base = image.open_file(image_root, operation.image, what="block image")
    size = posix.fstat(base).st_size
    posix.close(base)
    overlay = _open_overlay(image_root, size, operation.backing)
    try:
        posix.fchown(overlay, user.uid, user.gid)
        binds.bind_file(overlay, target, readonly=False)
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
    created = posix.open(_NAME, flags, _MODE, dir_fd=directory)
    try:
        files.write_all(created, content)
    except OSError:
        posix.unlink(_NAME, dir_fd=directory)
        raise
    return created


def _open_own_overlay(image_root: int, backing: str) -> int:
    name = f"/{_NAME}"
    found = image.open_file(image_root, name, what="disk overlay", writable=True)
    if posix.fstat(found).st_nlink == 1 and qcow2.is_overlay(posix.pread(found, _HEAD, 0), backing):
        return found
    posix.close(found)
    raise ConfigError(
        f"{name} of the image is not a disk overlay that urunc made", hint="remove it from the image"
    )
