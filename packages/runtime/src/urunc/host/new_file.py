# SPDX-License-Identifier: Apache-2.0
"""Files in the monitor's root whose content is known only when the container starts."""

from __future__ import annotations

import errno
import posix

from urunc.host import archive, binds, sources, syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.bundle import User
    from urunc.operation import NewFile

_FLAGS = posix.O_RDWR | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC | posix.O_NOFOLLOW
_MODE = 0o400
_CHUNK = 1 << 24
# The kernel looks for the next archive of an initramfs at a multiple of this.
_ALIGNMENT = 4


def make(operation: NewFile, root: str, writable: int, image_root: int, user: User) -> int:
    """Make it, with its base; the rest is to be written to the descriptor.  Raises OSError, ConfigError.

    `writable` is the monitor's root by another mount: one that is to become read-only has no writers.
    """
    if not operation.base:
        return _give(_make_in_memory(operation, writable), user)
    base = sources.open_source(operation.base, image_root, user)
    try:
        made = _give(_make_on_disk(operation, root, writable, image_root), user)
        if operation.covers:
            archive.copy_unended(base, made, operation.covers, operation.base)
        else:
            _copy(base, made)
    finally:
        posix.close(base)
    return made


def _make_in_memory(operation: NewFile, writable: int) -> int:
    return posix.open(operation.target.lstrip("/"), _FLAGS, _MODE, dir_fd=writable)


def _make_on_disk(operation: NewFile, root: str, writable: int, image_root: int) -> int:
    """A file without a name in the container's layer: as large as an initrd is, it must not take memory.

    It has a name until it is bound, since what has none cannot be.
    """
    name = f".urunc.{posix.urandom(8).hex()}"
    directory = syscalls.open_tree(image_root, "", syscalls.AT_EMPTY_PATH | syscalls.OPEN_TREE_CLOEXEC)
    try:
        made = posix.open(name, _FLAGS, _MODE, dir_fd=directory)
        try:
            binds.bind_file(made, root + operation.target, readonly=True)
        finally:
            posix.unlink(name, dir_fd=directory)
        return made
    except OSError as error:
        if error.errno != errno.EROFS:
            raise
        return _make_in_memory(operation, writable)
    finally:
        posix.close(directory)


def _copy(source: int, target: int) -> None:
    size = posix.fstat(source).st_size
    done = 0
    while done < size:
        done += posix.sendfile(target, source, done, _CHUNK)
    posix.write(target, bytes(-size % _ALIGNMENT))


def _give(descriptor: int, user: User) -> int:
    posix.fchown(descriptor, user.uid, user.gid)
    return descriptor
