# SPDX-License-Identifier: Apache-2.0
"""Files and directories of the host as entries of an archive."""

from __future__ import annotations

import posix

from urunc.errors import HostError, Unsupported
from urunc_common.cpio import Directory, File, Symlink

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from urunc_common.cpio import Entry

# Copies live in the guest's memory.
_LARGEST = 64 << 20
_IFMT, _IFDIR, _IFREG, _IFLNK = 0o170000, 0o040000, 0o100000, 0o120000


def is_directory(path: str) -> bool:
    """Whether a volume is a directory.  Raises HostError when it has vanished."""
    try:
        return posix.stat(path).st_mode & _IFMT == _IFDIR
    except OSError as error:
        raise HostError(f"open the volume {path}", error) from error


def read(source: str, path: str) -> tuple[Entry, ...]:
    """What is at `source`, with all below it, under a new path.  Raises HostError, Unsupported."""
    try:
        found = tuple(_entries(posix.stat(source), source, path))
    except OSError as error:
        raise HostError(f"copy the volume {source}", error) from error
    size = sum(len(entry.content) for entry in found if isinstance(entry, File))
    if size > _LARGEST:
        raise Unsupported(
            f"the volume {source} is too large for a copy in the guest's memory: {size >> 20} MiB",
            hint="install virtiofsd, or put the files into the image",
        )
    return found


def _entries(status: posix.stat_result, source: str, path: str) -> Iterator[Entry]:
    kind, mode = status.st_mode & _IFMT, status.st_mode & 0o7777
    if kind == _IFLNK:
        yield Symlink(path, posix.readlink(source))
    elif kind == _IFREG:
        yield File(path, _content(source, status.st_size), mode)
    elif kind == _IFDIR:
        yield Directory(path, mode)
        for name in sorted(posix.listdir(source)):
            child = f"{source}/{name}"
            yield from _entries(posix.lstat(child), child, f"{path}/{name}")


def _content(path: str, size: int) -> bytes:
    if size > _LARGEST:
        raise Unsupported(f"{path} is too large for a copy in the guest's memory: {size >> 20} MiB")
    with open(path, "rb") as file:
        return file.read(_LARGEST)
