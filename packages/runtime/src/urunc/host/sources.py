# SPDX-License-Identifier: Apache-2.0
"""The files that a guest boots from, opened where they are: in its image, or on the host."""

from __future__ import annotations

import posix

from urunc.errors import HostError
from urunc.host import files, image
from urunc.operation import HostFile, ImageFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.bundle import User


def open_source(wanted: ImageFile | HostFile, image_root: int, user: User) -> int:
    """A descriptor of a regular file that the user may read.  Raises ConfigError, HostError."""
    if isinstance(wanted, ImageFile):
        found = image.open_file(image_root, wanted.source, what=wanted.what, writable=wanted.writable)
        place = "of the image"
    else:
        found = _open_on_host(wanted)
        place = "of the host"
    image.require_readable(found, user, what=wanted.what, path=wanted.source, place=place)
    return found


def read_head(wanted: ImageFile | HostFile, rootfs: str, user: User, size: int) -> bytes:
    """Its first bytes.  Raises as `open_source`."""
    root = image.open_root(rootfs)
    try:
        file = open_source(wanted, root, user)
        try:
            return posix.pread(file, size, 0)
        finally:
            posix.close(file)
    finally:
        posix.close(root)


def keep(wanted: ImageFile | HostFile, image_root: int, path: str) -> HostFile:
    """A copy of a file of the image where it stays when the image has gone."""
    found = image.open_file(image_root, wanted.source, what=wanted.what)
    made = posix.open(path, posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_CLOEXEC, 0o444)
    try:
        files.copy_sparse(found, made)
    finally:
        posix.close(found)
        posix.close(made)
    return HostFile(path, wanted.target, wanted.what)


def _open_on_host(wanted: HostFile) -> int:
    try:
        return posix.open(wanted.source, posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NONBLOCK)
    except OSError as error:
        raise HostError(f"open the {wanted.what} {wanted.source} of the configuration", error) from error
