# SPDX-License-Identifier: Apache-2.0
"""The contents of an image's files, wherever they are: as many bytes as were promised, or an error."""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, BinaryIO

from bima.errors import ContextError
from bima.tree import Data, File, Packed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bima.tree import Regular

_CHUNK = 1 << 20


@dataclass(frozen=True)
class Opened:
    """An open file: its contents are the next `size` bytes."""

    file: BinaryIO
    name: str
    size: int
    mode: int
    mtime: int = 0

    def pieces(self) -> Iterator[bytes]:
        """The contents, a mebibyte at a time."""
        left = self.size
        while left:
            piece = self.file.read(min(left, _CHUNK))
            if not piece:
                raise ContextError(f"{self.name} became shorter while it was copied")
            yield piece
            left -= len(piece)


@contextmanager
def opened(entry: Regular) -> Iterator[Opened]:
    """The file behind an entry."""
    match entry:
        case Data():
            yield Opened(BytesIO(entry.content), "data", len(entry.content), entry.mode)
        case Packed():
            with entry.archive.open("rb") as file:
                file.seek(entry.offset)
                yield Opened(file, str(entry.archive), entry.size, entry.mode, entry.mtime)
        case File():
            # Not through a link that took the file's place after it was looked at, nor blocked by a pipe.
            with open(entry.source, "rb", opener=_open_file) as file:
                yield _regular(file, entry)


def read(entry: Regular, most: int) -> bytes:
    """The first bytes of a file."""
    with opened(entry) as found:
        return found.file.read(min(most, found.size))


def _regular(file: BinaryIO, entry: File) -> Opened:
    facts = os.fstat(file.fileno())
    if not stat.S_ISREG(facts.st_mode):
        raise ContextError(f"{file.name} was replaced while it was copied")
    usual = 0o755 if facts.st_mode & stat.S_IXUSR else 0o644
    mode = usual if entry.mode is None else entry.mode
    return Opened(file, file.name, facts.st_size, mode, int(facts.st_mtime))


def _open_file(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)
