# SPDX-License-Identifier: Apache-2.0
"""The layers of an image, one above the other -> the files that it has."""

from __future__ import annotations

from posixpath import dirname
from typing import TYPE_CHECKING

from bima.errors import ImageError
from bima.tarball import HardLink, entries
from bima.tree import Directory, Tree

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from bima.tree import Entry

_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"
# What else begins like this was for aufs, and is no file of the image.
_AUFS = ".wh..wh."


def flatten(layers: Iterable[Path]) -> Tree:
    """The files of plain tars, of which the later ones change what the earlier ones have."""
    tree = Tree()
    for layer in layers:
        _apply(list(entries(layer)), tree)
    tree.take()
    return tree


def _apply(members: list[tuple[str, Entry | HardLink]], tree: Tree) -> None:
    """What a layer removes is below it, so that goes first."""
    tree.remove({_gone(path, tree) for path, _ in members if _base(path).startswith(_WHITEOUT)} - {""})
    for path, entry in members:
        if path and not _base(path).startswith(_WHITEOUT):
            _put(path, entry, tree)


def _gone(path: str, tree: Tree) -> str:
    """The path that a whiteout removes; with a slash behind it, what is in it."""
    parent, name = tree.resolve(dirname(path)), _base(path)
    above = f"{parent}/" if parent else ""
    if name == _OPAQUE:
        return above or "/"
    gone = name.removeprefix(_WHITEOUT)
    return above + gone if gone and not name.startswith(_AUFS) else ""


def _put(path: str, entry: Entry | HardLink, tree: Tree) -> None:
    if isinstance(entry, HardLink):
        target = _place(str(entry), tree)
        found = tree.entries.get(target)
        if found is None or isinstance(found, Directory):
            raise ImageError(f"a layer has {path!r} as another name of {str(entry)!r}, which is no file")
        entry = found
    tree.put(_place(path, tree), entry)


def _place(path: str, tree: Tree) -> str:
    """Where a path really is: a link in its directory is followed, inside the image."""
    parent = tree.resolve(dirname(path))
    return f"{parent}/{_base(path)}" if parent else _base(path)


def _base(path: str) -> str:
    return path.rpartition("/")[2]
