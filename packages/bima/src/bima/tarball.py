# SPDX-License-Identifier: Apache-2.0
"""Tar archives of others: unpacked to plain ones, and listed as entries that say where each file's bytes are.

Nothing is extracted, so no name and no link in an archive can do harm on the host.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import subprocess
import tarfile
import zlib
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO, cast

from bima.errors import ImageError, StoreError
from bima.tree import Directory, Link, Node, Packed

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bima.tree import Entry

_CHUNK = 1 << 20
LARGEST = 32 << 30
MOST_FILES = 1 << 20
_XATTR = "SCHILY.xattr."
_KINDS = {tarfile.CHRTYPE: "c", tarfile.BLKTYPE: "b", tarfile.FIFOTYPE: "p"}
_ZSTD = b"\x28\xb5\x2f\xfd"
_LAST_ID = (1 << 32) - 2


class HardLink(str):
    """Another name for a file that the archive has under this path."""

    __slots__ = ()


def is_tar(path: Path) -> bool:
    """Whether the file is a tar, compressed or not, which is seen by its first bytes alone."""
    with path.open("rb") as file:
        try:
            with _unpacked(file) as plain:
                head = plain.read(512)
        except (*_DAMAGED, ImageError):
            return False
    return head[257:262] == b"ustar"


def unpack(source: BinaryIO, target: Path) -> str:
    """Write the tar without its compression; its digest.  Raises StoreError for a damaged one."""
    digest, size = sha256(), 0
    try:
        with _unpacked(source) as plain, target.open("xb") as file:
            while piece := plain.read(_CHUNK):
                size += len(piece)
                if size > LARGEST:
                    raise ImageError(f"an archive has over {LARGEST >> 30} GiB")
                digest.update(piece)
                file.write(piece)
    except _DAMAGED as error:
        if isinstance(error, OSError) and error.errno:
            raise  # it is the disk
        raise StoreError(f"{source.name} is damaged: {error}") from error
    return f"sha256:{digest.hexdigest()}"


def entries(path: Path) -> Iterator[tuple[str, Entry | HardLink]]:
    """What a plain tar has, under clean names.  Raises ImageError for what no image should have."""
    try:
        with tarfile.open(path, "r:", encoding="utf-8", errors="surrogateescape") as tar:
            count = 0
            while member := tar.next():
                tar.members = []  # type: ignore[attr-defined]  # it would keep all of them
                count += 1
                if count > MOST_FILES:
                    raise ImageError(f"an archive has over {MOST_FILES} files")
                yield _name(member.name), _entry(path, member)
    except (tarfile.TarError, ValueError, EOFError) as error:
        raise StoreError(f"{path.name} is no tar: {error}") from error


def _name(name: str) -> str:
    """`./a/` -> `a`; a name that leads out of the image is not put right."""
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts or "\0" in name:
        raise ImageError(f"an archive has a file called {name!r}, outside the image")
    return "/".join(parts)


def _entry(path: Path, member: tarfile.TarInfo) -> Entry | HardLink:
    mode, mtime = member.mode & 0o7777, max(0, int(member.mtime))
    owner = (member.uid, member.gid)
    if not all(0 <= number <= _LAST_ID for number in owner):
        raise ImageError(f"an archive has {member.name!r}, which belongs to nobody: {owner}")
    if member.isdir():
        return Directory(mode, *owner, mtime)
    if member.issym():
        return Link(member.linkname, *owner)
    if member.islnk():
        return HardLink(_name(member.linkname))
    if kind := _KINDS.get(member.type):
        return Node(kind, mode, member.devmajor, member.devminor, *owner, mtime)
    if not member.isreg() or member.issparse():
        raise ImageError(f"an archive has {member.name!r}, of a kind that is not known")
    xattrs = sorted(pair for pair in member.pax_headers.items() if pair[0].startswith(_XATTR))
    return Packed(path, member.offset_data, member.size, mode, *owner, mtime, tuple(xattrs))


@contextmanager
def _unpacked(source: BinaryIO) -> Iterator[BinaryIO]:
    """The file without its compression, if it has one that is known."""
    head = source.read(6)
    source.seek(0)
    if head.startswith(b"\x1f\x8b"):
        with gzip.open(source) as plain:
            yield cast("BinaryIO", plain)
    elif head.startswith(b"BZh"):
        with bz2.open(source) as plain:
            yield cast("BinaryIO", plain)
    elif head == b"\xfd7zXZ\0":
        with lzma.open(source) as plain:
            yield cast("BinaryIO", plain)
    elif head.startswith(_ZSTD):
        with _zstd(source) as plain:
            yield plain
    else:
        yield source


@contextmanager
def _zstd(source: BinaryIO) -> Iterator[BinaryIO]:
    """Python learns it only in 3.14."""
    if shutil.which("zstd") is None:
        raise ImageError(f"{source.name} is compressed with zstd", hint="install the program zstd")
    argv = ["zstd", "--decompress", "--stdout", "--quiet"]
    with subprocess.Popen(argv, stdin=source, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        yield cast("BinaryIO", process.stdout)
        process.stdout.close()
        said = process.stderr.read().decode(errors="replace").strip()
        if process.wait() not in (0, -13):
            raise StoreError(f"{source.name} is damaged: {said}")


_DAMAGED = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, OSError)
