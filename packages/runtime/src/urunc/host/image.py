# SPDX-License-Identifier: Apache-2.0
"""Opening files of an image, which is hostile: nothing outside it is reached, nothing but a regular file
opened.
"""

from __future__ import annotations

import errno
import posix

from urunc.errors import BundleError, HostError
from urunc.host import syscalls
from urunc_common.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.bundle import User

_O_PATH = 0o10000000
_LONGEST_TEXT = 1 << 20
_IFMT, _IFREG = 0o170000, 0o100000


def open_root(rootfs: str) -> int:
    """A descriptor of the image's root.  Raises BundleError."""
    try:
        return posix.open(rootfs, _O_PATH | posix.O_DIRECTORY | posix.O_CLOEXEC)
    except OSError as error:
        raise BundleError(f"cannot open the root file system {rootfs}: {error.strerror}") from error


def open_file(root: int, path: str, *, what: str, writable: bool = False) -> int:
    """Open a regular file of the image; links are followed inside it only.  Raises ConfigError."""
    flags = (posix.O_RDWR if writable else posix.O_RDONLY) | posix.O_NONBLOCK | posix.O_NOCTTY
    try:
        descriptor = syscalls.openat2(
            root, path.lstrip("/"), flags, syscalls.RESOLVE_IN_ROOT | syscalls.RESOLVE_NO_MAGICLINKS
        )
    except FileNotFoundError:
        raise ConfigError(
            f"the {what} {path} is not in the image", hint="check its path, and COPY it into the image"
        ) from None
    except OSError as error:
        raise ConfigError(f"cannot open the {what} {path} of the image: {error.strerror}") from error
    found = posix.fstat(descriptor)
    if found.st_mode & _IFMT != _IFREG:
        posix.close(descriptor)
        raise ConfigError(f"the {what} {path} of the image is not a regular file")
    if not found.st_size:
        posix.close(descriptor)
        raise ConfigError(f"the {what} {path} of the image is empty")
    return descriptor


def make_target(root: int, path: str, *, directory: bool) -> int:
    """What a volume is to cover, made with its parents if it is not there.  Raises OSError."""
    parts = [part for part in path.split("/") if part]
    for count in range(1, len(parts) + 1):
        last = count == len(parts)
        found = _open_or_make(root, parts[:count], directory=directory or not last)
        if last:
            return found
        posix.close(found)
    return posix.dup(root)


def _open_or_make(root: int, parts: list[str], *, directory: bool) -> int:
    resolve = syscalls.RESOLVE_IN_ROOT | syscalls.RESOLVE_NO_MAGICLINKS
    path = "/".join(parts)
    try:
        return syscalls.openat2(root, path, _O_PATH, resolve)
    except FileNotFoundError:
        parent = syscalls.openat2(root, "/".join(parts[:-1]) or ".", _O_PATH | posix.O_DIRECTORY, resolve)
    try:
        if directory:
            posix.mkdir(parts[-1], 0o755, dir_fd=parent)
        else:
            flags = posix.O_CREAT | posix.O_EXCL | posix.O_WRONLY | posix.O_CLOEXEC
            posix.close(posix.open(parts[-1], flags, 0o644, dir_fd=parent))
    finally:
        posix.close(parent)
    return syscalls.openat2(root, path, _O_PATH, resolve)


def require_readable(
    descriptor: int, user: User, *, what: str, path: str, place: str = "of the image"
) -> None:
    """Raise ConfigError unless the user may read the file, without any capability."""
    found = posix.fstat(descriptor)
    if found.st_uid == user.uid:
        readable = found.st_mode & 0o400
    elif found.st_gid in (user.gid, *user.groups):
        readable = found.st_mode & 0o040
    else:
        readable = found.st_mode & 0o004
    if not readable:
        raise ConfigError(
            f"user {user.uid} may not read the {what} {path} {place}", hint="give the file mode 0644"
        )


def read_text(root: int, name: str) -> str | None:
    """The text of a small file in the image's root, or None; links are refused.  Raises ConfigError."""
    flags = posix.O_RDONLY | posix.O_NONBLOCK | posix.O_NOCTTY
    try:
        descriptor = syscalls.openat2(
            root, name, flags, syscalls.RESOLVE_IN_ROOT | syscalls.RESOLVE_NO_SYMLINKS
        )
    except FileNotFoundError:
        return None
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise ConfigError(f"/{name} of the image is a symbolic link", hint="make it a file") from error
        raise HostError(f"open /{name} of the image", error) from error
    try:
        found = posix.fstat(descriptor)
        if found.st_mode & _IFMT != _IFREG or found.st_size > _LONGEST_TEXT:
            raise ConfigError(
                f"/{name} of the image is not a regular file of at most {_LONGEST_TEXT >> 20} MiB"
            )
        return posix.read(descriptor, _LONGEST_TEXT).decode()
    except UnicodeDecodeError as error:
        raise ConfigError(f"/{name} of the image is not UTF-8 text") from error
    finally:
        posix.close(descriptor)
