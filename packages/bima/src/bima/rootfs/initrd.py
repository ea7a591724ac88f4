# SPDX-License-Identifier: Apache-2.0
"""An archive that a kernel unpacks into its memory (cpio, "newc"), compressed or not."""

from __future__ import annotations

import gzip
import shutil
import stat
import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from bima import contents
from bima.errors import RootError
from bima.tree import Directory, Link, Node
from urunc_common import cpio

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from bima.rootfs import Settings
    from bima.tree import Entry, Regular

_KINDS = {"c": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}


def make(entries: Mapping[str, Entry], path: Path, work: Path, settings: Settings) -> None:
    """Write the archive; a file with several names is there as often as it has names."""
    del work
    with _packing(path, settings.compression) as file:
        found = sorted((path, entry) for path, entry in entries.items() if path)
        for number, (name, entry) in enumerate(found, 1):
            _write(file, number, name, entry, settings.epoch)
        file.write(cpio.trailer())


def _write(file: BinaryIO, number: int, path: str, entry: Entry, epoch: int) -> None:
    owner = (entry.uid, entry.gid)
    match entry:
        case Directory():
            file.write(
                cpio.header(number, path, stat.S_IFDIR | entry.mode, 0, owner, min(epoch, entry.mtime))
            )
        case Link():
            target = entry.target.encode(errors="surrogateescape")
            file.write(cpio.header(number, path, stat.S_IFLNK | 0o777, len(target), owner))
            file.write(cpio.padded(target))
        case Node():
            mode, device = _KINDS[entry.kind] | entry.mode, (entry.major, entry.minor)
            file.write(cpio.header(number, path, mode, 0, owner, min(epoch, entry.mtime), device))
        case _:
            _write_file(file, number, path, entry, epoch)


def _write_file(file: BinaryIO, number: int, path: str, entry: Regular, epoch: int) -> None:
    with contents.opened(entry) as source:
        if source.size > cpio.LARGEST:
            raise RootError(f"/{path} is too large for an initrd", hint="make it ext4 or erofs")
        mtime = max(0, min(epoch, source.mtime))
        owner = (entry.uid, entry.gid)
        file.write(cpio.header(number, path, stat.S_IFREG | source.mode, source.size, owner, mtime))
        for piece in source.pieces():
            file.write(piece)
        file.write(bytes(-source.size % 4))


@contextmanager
def _packing(path: Path, compression: str) -> Iterator[BinaryIO]:
    with path.open("xb") as file:
        match compression:
            case "gzip":
                with gzip.GzipFile(filename="", mode="wb", compresslevel=6, fileobj=file, mtime=0) as packed:
                    yield cast("BinaryIO", packed)
            case "zstd":
                with _zstd(file) as packed:
                    yield packed
            case _:
                yield file


@contextmanager
def _zstd(file: BinaryIO) -> Iterator[BinaryIO]:
    if shutil.which("zstd") is None:
        raise RootError("compressing with zstd takes the program zstd", hint="install it, or take gzip")
    argv = ["zstd", "--quiet", "--single-thread", "-9", "--stdout"]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=file) as process:
        yield cast("BinaryIO", process.stdin)
    if process.returncode != 0:
        raise RootError(f"zstd failed with status {process.returncode}")
