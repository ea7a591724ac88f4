# SPDX-License-Identifier: Apache-2.0
"""The files of an image while it is built: paths and what they come from.  Pure.

Paths are relative to the image's root, without a leading slash; the root itself is the empty path.
"""

from __future__ import annotations

from dataclasses import dataclass
from posixpath import dirname, normpath
from typing import TYPE_CHECKING

from bima.errors import ImageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from collections.abc import Set as AbstractSet
    from pathlib import Path

_MOST_LINKS = 40
_LONGEST_PATH, _LONGEST_NAME = 4095, 255
# Such a name deletes a file of a lower layer when the image is unpacked.
_WHITEOUT = ".wh."


@dataclass(frozen=True)
class Directory:
    """A directory."""

    mode: int = 0o755
    uid: int = 0
    gid: int = 0
    mtime: int = 0


@dataclass(frozen=True)
class File:
    """A regular file, to be read when the layer is written; without a mode, its own x alone counts."""

    source: Path
    mode: int | None = None
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True)
class Data:
    """A small regular file that was made here."""

    content: bytes
    mode: int = 0o644
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True)
class Packed:
    """A regular file inside a tar; the names of a hard-linked one have equal entries."""

    archive: Path
    offset: int
    size: int
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    mtime: int = 0
    xattrs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Link:
    """A symbolic link."""

    target: str
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True)
class Node:
    """A device or a pipe; the kind is one of c, b and p."""

    kind: str
    mode: int
    major: int = 0
    minor: int = 0
    uid: int = 0
    gid: int = 0
    mtime: int = 0


Regular = File | Data | Packed
Entry = Directory | Regular | Link | Node


def clean(path: str) -> str:
    """`/a/../../b/` -> `b`: nothing is above the root."""
    return normpath(f"/{path}").lstrip("/")


def _require_short(path: str) -> None:
    """Raise ImageError for a path that could not be unpacked."""
    raw = path.encode(errors="surrogateescape")
    if len(raw) > _LONGEST_PATH or any(len(name) > _LONGEST_NAME for name in raw.split(b"/")):
        raise ImageError(
            f"/{path[:40]}…: a path in an image has up to {_LONGEST_PATH} bytes, a name in it {_LONGEST_NAME}"
        )


def _itself_and_above(path: str) -> Iterator[str]:
    """`a/b` -> `a/b`, `a/`, `a`, `/`"""
    yield path
    while path:
        path = path.rpartition("/")[0]
        yield f"{path}/"
        yield path


class Tree:
    """All entries so far; a layer is what `add` was told since `take` was called."""

    def __init__(self, entries: Mapping[str, Entry] | None = None) -> None:
        self._entries: dict[str, Entry] = {"": Directory(), **(entries or {})}
        self._new: dict[str, Entry] = {}

    @property
    def entries(self) -> Mapping[str, Entry]:
        """Everything by path, the root itself included."""
        return self._entries

    def copy(self) -> Tree:
        """Another tree with the same entries, none of them new."""
        return Tree(self._entries)

    def find(self, path: str) -> Entry | None:
        """What is at the path in the finished image, symbolic links followed."""
        return self._entries.get(self.resolve(path))

    def is_directory(self, path: str) -> bool:
        """Whether there is a directory at the path, or behind the link at the path."""
        return isinstance(self.find(path), Directory)

    def resolve(self, path: str) -> str:
        """The path without the symbolic links in it, which never leave the image."""
        done, todo, links = "", clean(path).split("/"), 0
        while todo:
            part = todo.pop(0)
            here = clean(f"{done}/{part}")
            entry = self._entries.get(here)
            if isinstance(entry, Link):
                links += 1
                if links > _MOST_LINKS:
                    raise ImageError(f"/{path.lstrip('/')} leads through a circle of symbolic links")
                done, todo = "" if entry.target.startswith("/") else done, [*entry.target.split("/"), *todo]
            else:
                done = here
        return done

    def add(self, path: str, entry: Entry) -> None:
        """Put an entry at a path whose directories exist or are made; links on the way are followed."""
        parent, name = self.resolve(dirname(clean(path))), clean(path).rpartition("/")[2]
        _require_short(clean(f"{parent}/{name}"))
        self._make_directories(parent)
        target = clean(f"{parent}/{name}")
        if name.startswith(_WHITEOUT):
            raise ImageError(f"/{target}: a name in an image cannot begin with {_WHITEOUT}")
        if isinstance(entry, Directory) and self.is_directory(target):
            return
        self._require_same_kind(target, entry)
        self._put(target, entry)

    def put(self, path: str, entry: Entry) -> None:
        """Put an entry at a path without links in it, in the place of whatever is there."""
        old = self._entries.get(path)
        if isinstance(old, Directory) and not isinstance(entry, Directory):
            self.remove({path})
        _require_short(path)
        self._make_directories(dirname(path))
        self._put(path, entry)

    def remove(self, paths: AbstractSet[str]) -> None:
        """Take paths away with all that is below; one with a slash behind it stays, and is empty."""
        if paths:
            self._entries = {
                path: entry
                for path, entry in self._entries.items()
                if not path or paths.isdisjoint(_itself_and_above(path))
            }

    def make_directory(self, path: str) -> None:
        """Have a directory at the path, and those above it."""
        self._make_directories(self.resolve(path))

    def take(self) -> Mapping[str, Entry]:
        """The entries added since the last call, by path, parents first."""
        new, self._new = dict(sorted(self._new.items())), {}
        return new

    def files(self) -> list[str]:
        """The absolute paths of everything that is no directory."""
        return [
            f"/{path}" for path, entry in sorted(self._entries.items()) if not isinstance(entry, Directory)
        ]

    def _make_directories(self, path: str) -> None:
        if path and not self.is_directory(path):
            self._make_directories(dirname(path))
            self._require_same_kind(path, Directory())
            self._put(path, Directory())

    def _require_same_kind(self, path: str, entry: Entry) -> None:
        old = self._entries.get(path)
        if old is not None and isinstance(old, Directory) != isinstance(entry, Directory):
            words = ("file", "directory") if isinstance(entry, Directory) else ("directory", "file")
            raise ImageError(
                f"/{path} is already a {words[0]}, so it cannot become a {words[1]}",
                hint="choose another destination",
            )

    def _put(self, path: str, entry: Entry) -> None:
        self._entries[path] = self._new[path] = entry
