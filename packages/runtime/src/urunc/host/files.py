# SPDX-License-Identifier: Apache-2.0
"""The few things with files that `os` and `shutil` have and `posix` lacks.  Each raises OSError."""

from __future__ import annotations

import posix

_O_PATH = 0o10000000


def exists(path: str) -> bool:
    """Whether there is anything at the path, links followed."""
    try:
        posix.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def read(path: str) -> bytes:
    """A whole file."""
    with open(path, "rb") as file:
        return file.read()


def resolve(path: str) -> str:
    """The absolute path behind links, as the kernel sees it."""
    descriptor = posix.open(path, _O_PATH | posix.O_CLOEXEC)
    try:
        return posix.readlink(f"/proc/self/fd/{descriptor}")
    finally:
        posix.close(descriptor)


def make_directories(path: str, mode: int = 0o755) -> None:
    """Make a directory and what it lies in; one that is there is fine."""
    try:
        posix.mkdir(path, mode)
    except FileExistsError:
        return
    except FileNotFoundError:
        make_directories(path.rpartition("/")[0], mode)
        make_directories(path, mode)


def write(path: str, content: bytes) -> None:
    """What a file of the kernel is told, in one piece.  Raises OSError."""
    descriptor = posix.open(path, posix.O_WRONLY | posix.O_CLOEXEC)
    try:
        posix.write(descriptor, content)
    finally:
        posix.close(descriptor)


def write_all(descriptor: int, content: bytes) -> None:
    """write(2) until nothing is left."""
    while content:
        content = content[posix.write(descriptor, content) :]


def copy_sparse(source: int, target: int) -> None:
    """Copy a file into an empty one, and leave out its holes."""
    size, start = posix.fstat(source).st_size, 0
    posix.ftruncate(target, size)
    while start < size:
        try:
            start = posix.lseek(source, start, posix.SEEK_DATA)
        except OSError:
            return  # nothing but a hole is left
        end = posix.lseek(source, start, posix.SEEK_HOLE)
        posix.lseek(target, start, 0)
        while start < end:
            start += posix.sendfile(target, source, start, end - start)


def replace(path: str, content: bytes, mode: int = 0o600) -> None:
    """Give a file new content in one step; a failure leaves the old file, and nothing else."""
    directory, slash, name = path.rpartition("/")
    temporary = f"{directory}{slash}.{name}.{posix.getpid()}"
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_TRUNC | posix.O_NOFOLLOW | posix.O_CLOEXEC
    descriptor = posix.open(temporary, flags, mode)
    try:
        write_all(descriptor, content)
        posix.rename(temporary, path)
    except BaseException:
        unlink(temporary)
        raise
    finally:
        posix.close(descriptor)


def unlink(path: str) -> None:
    """Remove a file; nothing there is fine."""
    try:
        posix.unlink(path)
    except FileNotFoundError:
        return
