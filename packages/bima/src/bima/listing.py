# SPDX-License-Identifier: Apache-2.0
"""Files of an image as lines of text.  Pure, but for sizes of files on the host."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

from bima import contents
from bima.errors import ImageError
from bima.tree import Data, Directory, File, Link, Node, Packed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bima.tree import Entry, Regular, Tree

_KINDS = {"c": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}


def below(tree: Tree, path: str, name: str, *, deep: bool) -> Iterator[tuple[str, Entry]]:
    """What is in a directory, or the file itself, in order."""
    found, top = tree.find(path), tree.resolve(path)
    if found is None:
        raise ImageError(f"/{path.strip('/')} is not in {name}")
    if not isinstance(found, Directory):
        yield top, found
        return
    above = f"{top}/" if top else ""
    for each in sorted(tree.entries):
        rest = each.removeprefix(above)
        if each and each.startswith(above) and (deep or "/" not in rest):
            yield each, tree.entries[each]


def file(tree: Tree, path: str, name: str) -> Regular:
    """A regular file, links followed."""
    found = tree.find(path)
    if not isinstance(found, File | Data | Packed):
        raise ImageError(f"/{path.strip('/')} {'is no file' if found else 'is not'} in {name}")
    return found


def line(path: str, entry: Entry) -> str:
    """Mode, owner, size and name, as ls has them."""
    mode, size = _facts(entry)
    target = f" -> {shown(entry.target)}" if isinstance(entry, Link) else ""
    return f"{stat.filemode(mode)} {entry.uid:>5} {entry.gid:>5} {size:>10} /{shown(path)}{target}"


def shown(text: str) -> str:
    """A name without what would tell a terminal to do something."""
    return "".join(
        each if each.isprintable() else each.encode("unicode_escape", "surrogatepass").decode()
        for each in text
    )


def difference(old: Entry, new: Entry) -> str:
    """How two entries of one path differ; nothing if they do not."""
    if type(old) is not type(new) and not all(isinstance(each, File | Data | Packed) for each in (old, new)):
        return "kind"
    words = []
    (old_mode, old_size), (new_mode, new_size) = _facts(old), _facts(new)
    if old_mode != new_mode:
        words.append(f"mode {old_mode & 0o7777:o} {new_mode & 0o7777:o}")
    if (old.uid, old.gid) != (new.uid, new.gid):
        words.append(f"owner {old.uid}:{old.gid} {new.uid}:{new.gid}")
    if old_size != new_size:
        words.append(f"size {old_size} {new_size}")
    elif not _same(old, new):
        words.append("content")
    return ", ".join(words)


def _same(old: Entry, new: Entry) -> bool:
    match old, new:
        case (Link(), Link()):
            return old.target == new.target
        case (Node(), Node()):
            return (old.kind, old.major, old.minor) == (new.kind, new.major, new.minor)
        case (File() | Data() | Packed(), File() | Data() | Packed()):
            with contents.opened(old) as one, contents.opened(new) as other:
                return all(a == b for a, b in zip(one.pieces(), other.pieces(), strict=True))
    return True


def _facts(entry: Entry) -> tuple[int, int]:
    """Mode with kind, and size."""
    match entry:
        case Directory():
            return stat.S_IFDIR | entry.mode, 0
        case Link():
            return stat.S_IFLNK | 0o777, len(entry.target)
        case Node():
            return _KINDS[entry.kind] | entry.mode, 0
    with contents.opened(entry) as opened:
        return stat.S_IFREG | opened.mode, opened.size
