# SPDX-License-Identifier: Apache-2.0
"""Image entries -> a gzipped tar that depends on nothing but their names, contents and executable bits."""

from __future__ import annotations

import os
import stat
import tarfile
import zlib
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO

from bima.errors import ContextError
from bima.image import LAYER_GZIP, Descriptor, Layer
from bima.tree import Data, Directory, Entry, File, Link

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bima.blob import BlobWriter
    from bima.layout import Layout

_CHUNK = 1 << 20
_BLOCK = 512
_GZIP = 31


def write(entries: Mapping[str, Entry], layout: Layout, epoch: int) -> Layer:
    """Stream one layer into the layout; no time in it is later than `epoch`."""
    with layout.writer() as blob:
        tar = _TarStream(blob)
        for path, entry in sorted(entries.items()):
            _write_entry(tar, path, entry, epoch)
        tar.finish()
    return Layer(Descriptor(LAYER_GZIP, blob.digest, blob.size), tar.digest)


class _TarStream:
    """Hashes the tar and compresses it in one pass."""

    def __init__(self, blob: BlobWriter) -> None:
        self._blob = blob
        self._hash = sha256()
        self._gzip = zlib.compressobj(6, zlib.DEFLATED, _GZIP)  # its header has neither name nor time

    def write(self, data: bytes) -> None:
        self._hash.update(data)
        self._blob.write(self._gzip.compress(data))

    def finish(self) -> None:
        """A tar ends with two empty blocks."""
        self.write(bytes(2 * _BLOCK))
        self._blob.write(self._gzip.flush())

    @property
    def digest(self) -> str:
        return f"sha256:{self._hash.hexdigest()}"


def _write_entry(tar: _TarStream, path: str, entry: Entry, epoch: int) -> None:
    match entry:
        case Directory():
            tar.write(_header(path + "/", tarfile.DIRTYPE, 0o755, epoch))
        case Link(target):
            tar.write(_header(path, tarfile.SYMTYPE, 0o777, epoch, link=target))
        case Data(content):
            tar.write(_header(path, tarfile.REGTYPE, 0o644, epoch, size=len(content)))
            tar.write(_padded(content))
        case File(source):
            # Not through a link that took the file's place after it was looked at, nor blocked by a pipe.
            with open(source, "rb", opener=_open_file) as file:
                _write_file(tar, path, file, epoch)


def _write_file(tar: _TarStream, path: str, file: BinaryIO, epoch: int) -> None:
    facts = os.fstat(file.fileno())
    if not stat.S_ISREG(facts.st_mode):
        raise ContextError(f"{file.name} was replaced while it was copied")
    mode = 0o755 if facts.st_mode & stat.S_IXUSR else 0o644
    tar.write(
        _header(path, tarfile.REGTYPE, mode, max(0, min(epoch, int(facts.st_mtime))), size=facts.st_size)
    )
    left = facts.st_size
    while left:
        chunk = file.read(min(left, _CHUNK))
        if not chunk:
            raise ContextError(f"{file.name} became shorter while it was copied")
        tar.write(chunk)
        left -= len(chunk)
    tar.write(bytes(-facts.st_size % _BLOCK))


def _header(path: str, kind: bytes, mode: int, mtime: int, *, size: int = 0, link: str = "") -> bytes:
    header = tarfile.TarInfo(path)
    header.type, header.mode, header.mtime, header.size, header.linkname = kind, mode, mtime, size, link
    return header.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")


def _padded(content: bytes) -> bytes:
    return content + bytes(-len(content) % _BLOCK)


def _open_file(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
