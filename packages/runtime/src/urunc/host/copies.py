# SPDX-License-Identifier: Apache-2.0
"""Files and directories of the host as entries of an archive."""

from __future__ import annotations

import posix

from urunc.errors import HostError, Unsupported
from urunc.host import files
from urunc_common.cpio import Directory, File, Symlink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from urunc_common.cpio import Entry

# Copies live in the guest's memory.
_LARGEST = 64 << 20
_WRITABLE = 0o222
_IFMT, _IFDIR, _IFREG, _IFLNK = 0o170000, 0o040000, 0o100000, 0o120000


def is_directory(path: str) -> bool:
    """Whether a volume is a directory.  Raises HostError when it has vanished."""
    try:
        return posix.stat(path).st_mode & _IFMT == _IFDIR
    except OSError as error:
        raise HostError(f"open the volume {path}", error) from error


def read(source: str, path: str, *, writable: bool = True) -> tuple[Entry, ...]:
    """What is at `source`, with all below it, under a new path.  Raises HostError, Unsupported."""
    try:
        size = _size(source)
    except OSError as error:
        raise HostError(f"copy the volume {source}", error) from error
    if size > _LARGEST:
        raise Unsupported(
            f"the volume {source} is too large for a copy in the guest's memory: {size >> 20} MiB",
            hint="install virtiofsd, or put the files into the image",
        )
    try:
        mask = 0o7777 if writable else ~_WRITABLE & 0o7777
        return tuple(_entries(posix.stat(source), source, path, mask))
    except OSError as error:
        raise HostError(f"copy the volume {source}", error) from error


def _size(path: str) -> int:
    found = posix.stat(path)
    if found.st_mode & _IFMT != _IFDIR:
        return found.st_size
    entries = [(entry, entry.stat(follow_symlinks=False)) for entry in posix.scandir(path)]
    below = sum(_size(entry.path) for entry, _ in entries if entry.is_dir(follow_symlinks=False))
    return below + sum(status.st_size for _, status in entries)


def tree(source: str) -> tuple[Entry, ...]:
    """All that is in a directory, under its own names.  Raises OSError."""
    return tuple(
        entry
        for name in sorted(posix.listdir(source))
        for entry in _entries(posix.lstat(f"{source}/{name}"), f"{source}/{name}", name, 0o7777)
    )


def _entries(status: posix.stat_result, source: str, path: str, mask: int) -> Iterator[Entry]:
    kind, mode = status.st_mode & _IFMT, status.st_mode & mask
    if kind == _IFLNK:
        yield Symlink(path, posix.readlink(source))
    elif kind == _IFREG:
        yield File(path, files.read(source), mode)
    elif kind == _IFDIR:
        yield Directory(path, mode)
        for name in sorted(posix.listdir(source)):
            child = f"{source}/{name}"
            yield from _entries(posix.lstat(child), child, f"{path}/{name}", mask)
