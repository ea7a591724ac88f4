# SPDX-License-Identifier: Apache-2.0
"""The build directory: finds what COPY names, and never leaves."""

from __future__ import annotations

import os
from dataclasses import dataclass
from glob import glob, has_magic
from pathlib import Path
from posixpath import basename, normpath
from typing import TYPE_CHECKING, Protocol

from bima import ignore
from bima.errors import ContextError
from bima.ignore import Ignore
from bima.tree import Directory, Entry, File, Link

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


_LONGEST_IGNORE = 1 << 20


@dataclass(frozen=True)
class Source:
    """One thing to copy: the name it was called by, and its entries, of which the first is itself."""

    name: str
    entries: Iterable[tuple[str, Entry]]
    is_directory: bool = False


class Origin(Protocol):
    """Where COPY finds files: the build directory, or another image."""

    def resolve(self, source: str) -> list[Source]:
        """The files and directories that a COPY source means: one path, or a pattern's matches in order."""


class Context:
    """A directory whose files may be copied into an image."""

    def __init__(self, path: Path | str, ignored: Ignore | None = None) -> None:
        self.path = Path(os.path.realpath(path))
        self._ignored = ignored or Ignore()
        if not self.path.is_dir():
            raise ContextError(f"the build directory {path} is not a directory")

    def resolve(self, source: str) -> list[Source]:
        """As `Origin` has it; what is ignored is not there."""
        inside = normpath(source.lstrip("/") or ".")
        if inside == ".." or inside.startswith("../"):
            raise _outside(source)
        if os.path.lexists(self.path / inside) or not has_magic(inside):
            if self._ignored.excludes(inside) and not (self.path / inside).is_dir():
                raise ContextError(
                    f"{source} is ignored", hint="an ignore file of the build directory says so"
                )
            return [self._real(source, inside)]
        pattern = inside.replace("[^", "[!")  # docker's negation, and Python's
        found = sorted(glob(pattern, root_dir=self.path, include_hidden=True))
        found = [each for each in found if not self._ignored.excludes(each)]
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
        return Source(basename(inside), self._walk(real, "" if inside == "." else inside), real.is_dir())

    def _walk(self, real: Path, inside: str) -> Iterator[tuple[str, Entry]]:
        """What is below, but for what is ignored under the name that it was called by."""
        for path, entry in walk(real):
            if not path or not self._ignored.excludes(f"{inside}/{path}".lstrip("/")):
                yield path, entry

    def _missing(self, source: str, error: OSError) -> ContextError:
        if isinstance(error, FileNotFoundError):
            return ContextError(
                f"{source} is not in the build directory {self.path}",
                hint="sources are relative to the build directory, not to the Containerfile",
            )
        return ContextError(f"{source}: {error.strerror}")


def find_ignored(context: Path, file: Path | None) -> Ignore:
    """The ignore file that counts: that of the Containerfile, else that of the directory."""
    own = [Path(f"{file}.dockerignore")] if file else []
    for path in (*own, context / ".containerignore", context / ".dockerignore"):
        if path.is_file():
            return _load_ignored(path)
    return Ignore()


def _load_ignored(path: Path) -> Ignore:
    data = path.read_bytes()
    if len(data) > _LONGEST_IGNORE:
        raise ContextError(f"{path} has over {_LONGEST_IGNORE} bytes", hint="is it an ignore file?")
    try:
        return ignore.parse(data.decode(errors="surrogateescape"))
    except ValueError as error:
        raise ContextError(f"{path}: {error}") from error


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
