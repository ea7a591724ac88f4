# SPDX-License-Identifier: Apache-2.0
"""The build directory: finds what COPY names, and never leaves."""

from __future__ import annotations

import os
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from posixpath import basename, normpath
from typing import TYPE_CHECKING

from bima.errors import ContextError
from bima.tree import Directory, Entry, File, Link

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True)
class Source:
    """One thing to copy: the name it was called by, and where it really is."""

    name: str
    path: Path


class Context:
    """A directory whose files may be copied into an image."""

    def __init__(self, path: Path | str) -> None:
        self.path = Path(os.path.realpath(path))
        if not self.path.is_dir():
            raise ContextError(f"the build directory {path} is not a directory")

    def resolve(self, source: str) -> list[Source]:
        """The files and directories that a COPY source means: one path, or a pattern's matches in order."""
        inside = normpath(source.lstrip("/") or ".")
        if inside == ".." or inside.startswith("../"):
            raise _outside(source)
        if os.path.lexists(self.path / inside) or not has_magic(inside):
            return [self._real(source, inside)]
        pattern = inside.replace("[^", "[!")  # docker's negation, and Python's
        found = sorted(glob(pattern, root_dir=self.path, include_hidden=True))
        if not found:
            raise ContextError(f"nothing in {self.path} matches {source}")
        return [self._real(source, each) for each in found]

    def _real(self, source: str, inside: str) -> Source:
        """The file itself, should the path be, or lead through, a symbolic link."""
        try:
            real = Path(os.path.realpath(self.path / inside, strict=True))
        except OSError as error:
            raise self._missing(source, error) from error
        if not real.is_relative_to(self.path):
            raise _outside(source)
        return Source(basename(inside), real)

    def _missing(self, source: str, error: OSError) -> ContextError:
        if isinstance(error, FileNotFoundError):
            return ContextError(
                f"{source} is not in the build directory {self.path}",
                hint="sources are relative to the build directory, not to the Containerfile",
            )
        return ContextError(f"{source}: {error.strerror}")


def walk(source: Path) -> Iterator[tuple[str, Entry]]:
    """A file or a whole directory as image entries: paths below the source, parents first."""
    if not source.is_dir():
        yield "", _entry(source)
        return
    yield "", Directory()
    for path, directories, names in os.walk(source, onerror=_refuse):
        directories.sort()
        for name in sorted([*directories, *names]):
            whole = Path(path, name)
            yield str(whole.relative_to(source)), _entry(whole)


def _entry(path: Path) -> Entry:
    if path.is_symlink():
        return Link(str(path.readlink()))
    if path.is_dir():
        return Directory()
    if path.is_file():
        return File(path)
    raise ContextError(f"{path} is neither a file nor a directory nor a symbolic link")


def _refuse(error: OSError) -> None:
    raise ContextError(f"cannot read {error.filename}: {error.strerror}") from error


def _outside(source: str) -> ContextError:
    return ContextError(
        f"{source} is outside the build directory",
        hint="copy it into the build directory, or build from above",
    )
