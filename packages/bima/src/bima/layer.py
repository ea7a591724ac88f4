# SPDX-License-Identifier: Apache-2.0
"""Image entries -> a gzipped tar that depends on nothing but their names, contents, modes and owners."""

from __future__ import annotations

import tarfile
import zlib
from hashlib import sha256
from typing import TYPE_CHECKING, BinaryIO

from bima import contents
from bima.image import LAYER_GZIP, Descriptor, Layer
from bima.tree import Directory, Entry, Link, Node, Packed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bima.blob import BlobWriter
    from bima.layout import Layout
    from bima.tree import Regular

_NODES = {"c": tarfile.CHRTYPE, "b": tarfile.BLKTYPE, "p": tarfile.FIFOTYPE}
_BLOCK = 512
_GZIP = 31


def write(entries: Mapping[str, Entry], layout: Layout, epoch: int) -> Layer:
    """Stream one layer into the layout; no time in it is later than `epoch`."""
    with layout.writer() as blob:
        tar = _TarStream(blob)
        _write_entries(tar, entries, epoch)
        tar.finish()
    return Layer(Descriptor(LAYER_GZIP, blob.digest, blob.size), tar.digest)


def write_plain(entries: Mapping[str, Entry], file: BinaryIO, epoch: int) -> None:
    """The same without compression, to a file."""
    _write_entries(file, entries, epoch)
    file.write(bytes(2 * _BLOCK))


def _write_entries(tar: _TarStream | BinaryIO, entries: Mapping[str, Entry], epoch: int) -> None:
    first: dict[Entry, str] = {}
    for path, entry in sorted(entries.items()):
        _write_entry(tar, path, entry, epoch, first.get(entry, ""))
        if isinstance(entry, Packed):
            first.setdefault(entry, path)


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


def _write_entry(tar: _TarStream | BinaryIO, path: str, entry: Entry, epoch: int, first: str) -> None:
    """`first` is where this very file is in the layer already, under another name."""
    match entry:
        case Directory():
            tar.write(_header(path + "/", tarfile.DIRTYPE, entry, entry.mode, min(epoch, entry.mtime)))
        case Link(target):
            tar.write(_header(path, tarfile.SYMTYPE, entry, 0o777, 0, link=target))
        case Node():
            kind = _NODES[entry.kind]
            device = (entry.major, entry.minor)
            tar.write(_header(path, kind, entry, entry.mode, min(epoch, entry.mtime), device=device))
        case Packed() if first:
            tar.write(_header(path, tarfile.LNKTYPE, entry, entry.mode, min(epoch, entry.mtime), link=first))
        case _:
            _write_file(tar, path, entry, epoch)


def _write_file(tar: _TarStream | BinaryIO, path: str, entry: Regular, epoch: int) -> None:
    xattrs = entry.xattrs if isinstance(entry, Packed) else ()
    with contents.opened(entry) as file:
        mtime = max(0, min(epoch, file.mtime))
        tar.write(_header(path, tarfile.REGTYPE, entry, file.mode, mtime, size=file.size, xattrs=xattrs))
        for piece in file.pieces():
            tar.write(piece)
        tar.write(bytes(-file.size % _BLOCK))


def _header(
    path: str,
    kind: bytes,
    entry: Entry,
    mode: int,
    mtime: int,
    *,
    size: int = 0,
    link: str = "",
    device: tuple[int, int] = (0, 0),
    xattrs: tuple[tuple[str, str], ...] = (),
) -> bytes:
    header = tarfile.TarInfo(path)
    header.type, header.mode, header.mtime, header.size, header.linkname = kind, mode, mtime, size, link
    header.uid, header.gid, (header.devmajor, header.devminor) = entry.uid, entry.gid, device
    header.pax_headers = dict(xattrs)
    return header.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape")
