# SPDX-License-Identifier: Apache-2.0
"""COPY: entries from somewhere, put into a tree by docker's rules."""

from __future__ import annotations

import re
from dataclasses import replace
from glob import has_magic
from posixpath import basename
from typing import TYPE_CHECKING

from bima import ignore, user
from bima.context import Source
from bima.errors import ContextError
from bima.tree import Data, Directory, Link, Tree, clean

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bima.context import Origin
    from bima.instruction import Copy
    from bima.tree import Entry


class Files:
    """The files of another image, or of another stage, as COPY --from sees them."""

    def __init__(self, tree: Tree, name: str) -> None:
        self._tree, self._name = tree, name

    def resolve(self, source: str) -> list[Source]:
        """As `Origin` has it; a link is followed, and never out of the image."""
        if self._tree.find(source) is None and has_magic(source):
            return [self._source(path) for path in self._matches(source)]
        return [self._source(clean(source))]

    def _matches(self, pattern: str) -> list[str]:
        regular = re.compile(ignore.translate(clean(pattern)))
        found = sorted(path for path in self._tree.entries if path and regular.fullmatch(path))
        if not found:
            raise ContextError(f"nothing in {self._name} matches {pattern}")
        return found

    def _source(self, path: str) -> Source:
        entry, real = self._tree.find(path), self._tree.resolve(path)
        if entry is None:
            raise ContextError(
                f"/{path} is not in {self._name}", hint=f"bima tree {self._name} lists its files"
            )
        return Source(basename(path), self._walk(real, entry), isinstance(entry, Directory))

    def _walk(self, top: str, entry: Entry) -> Iterator[tuple[str, Entry]]:
        yield "", entry
        above = f"{top}/" if top else ""
        for path in sorted(path for path in self._tree.entries if path and path.startswith(above)):
            if isinstance(entry, Directory):
                yield path.removeprefix(above), self._tree.entries[path]


def copy(instruction: Copy, origin: Origin, tree: Tree, working_dir: str) -> None:
    """Docker's rules: a directory's contents go into the destination, a file goes there or into it."""
    sources = [found for source in instruction.sources for found in origin.resolve(source)]
    sources += [Source(name, [("", Data(text))]) for name, text in instruction.documents]
    add(instruction, sources, tree, working_dir)


def add(instruction: Copy, sources: list[Source], tree: Tree, working_dir: str) -> None:
    """Put what was found into the tree."""
    target = _target(instruction.destination, working_dir)
    into = target.endswith("/") or basename(target) in (".", "..") or tree.is_directory(target)
    if len(sources) > 1 and not into:
        raise instruction.line.error(
            f"{' '.join(instruction.sources)} are {len(sources)} files, and {target} is one",
            f"end the destination with a slash: {target}/",
        )
    owner = user.find(tree, instruction.owner) if instruction.owner else None
    for source in sources:
        top = f"{target}/{source.name}" if into and not source.is_directory else target
        for path, entry in source.entries:
            tree.add(f"{top}/{path}", _changed(entry, owner, instruction.mode))


def _target(destination: str, working_dir: str) -> str:
    return destination if destination.startswith("/") or not working_dir else f"{working_dir}/{destination}"


def _changed(entry: Entry, owner: tuple[int, int] | None, mode: int | None) -> Entry:
    """With the owner and the mode that the instruction has."""
    if owner:
        entry = replace(entry, uid=owner[0], gid=owner[1])
    if mode is not None and not isinstance(entry, Link):
        entry = replace(entry, mode=mode)
    return entry
