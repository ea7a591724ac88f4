# SPDX-License-Identifier: Apache-2.0
"""A file that is hashed while it is written, and has no name of its own before it is whole."""

from __future__ import annotations

import os
from contextlib import contextmanager
from hashlib import sha256
from typing import TYPE_CHECKING

from bima.errors import StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from io import FileIO
    from pathlib import Path

_PARTIAL = ".partial-"


class BlobWriter:
    """Takes bytes; `path` is where they are for the time being."""

    def __init__(self, path: Path, file: FileIO) -> None:
        self.path = path
        self.size = 0
        self._file = file
        self._hash = sha256()

    def write(self, data: bytes) -> None:
        """Append."""
        self._hash.update(data)
        self.size += len(data)
        left = memoryview(data)
        try:
            while left:
                left = left[self._file.write(left) :]
        except OSError as error:
            raise StoreError(f"cannot write to {self.path.parent}: {error.strerror}") from error

    @property
    def digest(self) -> str:
        """Of what was written so far."""
        return f"sha256:{self._hash.hexdigest()}"


@contextmanager
def partial(directory: Path) -> Iterator[BlobWriter]:
    """A new file, removed at the end unless it was renamed."""
    path = directory / f"{_PARTIAL}{os.urandom(8).hex()}"
    try:
        with path.open("xb", buffering=0) as file:
            yield BlobWriter(path, file)
    finally:
        path.unlink(missing_ok=True)


def remove_unfinished(directory: Path) -> None:
    """Remove what killed writers left."""
    for path in directory.glob(f"{_PARTIAL}*"):
        path.unlink(missing_ok=True)
