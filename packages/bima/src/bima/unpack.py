# SPDX-License-Identifier: Apache-2.0
"""The layers of an image -> files in a directory.

bima writes directories, files and symbolic links, under plain names.  A layer with anything else was made to
do harm, or by somebody else, and is refused.  No link is ever followed: what a link in one layer names is
never written through by the next one.
"""

from __future__ import annotations

import gzip
import os
import shutil
import stat
import tarfile
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from bima.errors import ImageError, StoreError
from bima.image import LAYER_GZIP, Descriptor

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bima.layout import BuiltImage

_CHUNK = 1 << 20
_DIRECTORY = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
# Such a name deletes a file of a lower layer, which bima never wants.
_WHITEOUT = ".wh."


def unpack(image: BuiltImage, target: Path) -> None:
    """Unpack all layers into an empty directory.  Raises ImageError for what an image must not contain."""
    for layer in map(Descriptor.from_json, image.manifest.get("layers", [])):
        if layer.media_type != LAYER_GZIP:
            raise ImageError(f"a layer of {image.reference.familiar} is of type {layer.media_type}")
        try:
            with image.layout.open(layer.digest) as blob:
                unpack_layer(blob, target)
        except (tarfile.TarError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise StoreError(f"the blob {layer.digest} is damaged", hint="build the image again") from error


def unpack_layer(blob: BinaryIO, target: Path) -> None:
    """Unpack one gzipped tar; only what it names is changed, and only below the directory."""
    root = os.open(target, _DIRECTORY)
    try:
        with gzip.open(blob) as plain, tarfile.open(fileobj=plain, mode="r|", bufsize=_CHUNK) as tar:
            for member in tar:
                _unpack_member(tar, member, root)
            # Whatever follows the last member belongs to the checksum.
            while plain.read(_CHUNK):
                pass
    finally:
        os.close(root)


def _unpack_member(tar: tarfile.TarFile, member: tarfile.TarInfo, root: int) -> None:
    *parents, name = _parts(member)
    try:
        with _directory(root, parents) as parent:
            if member.isdir():
                _make_directory(parent, name)
            elif member.issym():
                _remove_file(parent, name)
                os.symlink(_target(member), name, dir_fd=parent)
            else:
                _remove_file(parent, name)
                _write_file(tar, member, parent, name)
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        raise ImageError(f"a layer has {member.name!r} where there is something else") from error


def _parts(member: tarfile.TarInfo) -> list[str]:
    """The names on the way to a member.  Raises ImageError unless it is ours to make."""
    if not (member.isdir() or member.issym() or member.isreg()):
        raise ImageError(f"a layer has {member.name!r}, which is no file, directory or symbolic link")
    parts = member.name.split("/")
    if any(part in ("", ".", "..") or part.startswith(_WHITEOUT) for part in parts) or "\0" in member.name:
        raise ImageError(f"a layer has a file called {member.name!r}, which is no clean path")
    return parts


def _target(member: tarfile.TarInfo) -> str:
    """What a link names; an absolute one counts from the image's root, as everywhere in an image."""
    depth = 0 if member.linkname.startswith("/") else member.name.count("/")
    for part in member.linkname.lstrip("/").split("/"):
        depth += -1 if part == ".." else part not in ("", ".")
        if depth < 0:
            raise ImageError(f"a layer has a link {member.name!r} to {member.linkname!r}, outside the image")
    return member.linkname


@contextmanager
def _directory(root: int, parts: list[str]) -> Iterator[int]:
    """A descriptor of a directory below the root, made where it is missing."""
    here = os.dup(root)
    try:
        for part in parts:
            _make_directory(here, part)
            below = os.open(part, _DIRECTORY, dir_fd=here)
            os.close(here)
            here = below
        yield here
    finally:
        os.close(here)


def _make_directory(parent: int, name: str) -> None:
    """Have a directory of this name; a link to one is none."""
    try:
        os.mkdir(name, 0o755, dir_fd=parent)
    except FileExistsError:
        if not stat.S_ISDIR(os.stat(name, dir_fd=parent, follow_symlinks=False).st_mode):
            raise


def _remove_file(parent: int, name: str) -> None:
    """Make room for what a later layer has instead."""
    try:
        os.unlink(name, dir_fd=parent)
    except FileNotFoundError:
        return


def _write_file(tar: tarfile.TarFile, member: tarfile.TarInfo, parent: int, name: str) -> None:
    with open(os.open(name, _NEW_FILE, member.mode & 0o755, dir_fd=parent), "wb") as file:
        if content := tar.extractfile(member):
            shutil.copyfileobj(content, file, _CHUNK)
