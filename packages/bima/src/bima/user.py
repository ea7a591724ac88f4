# SPDX-License-Identifier: Apache-2.0
"""`USER[:GROUP]` of an image -> numbers, by its own /etc/passwd and /etc/group."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bima import contents
from bima.errors import ImageError
from bima.tree import Data, File, Packed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bima.tree import Tree

_LARGEST = 1 << 20
_LAST_ID = (1 << 32) - 2


def find(tree: Tree, text: str) -> tuple[int, int]:
    """The user's and the group's number; a user without a group has the one in /etc/passwd."""
    name, colon, group = text.partition(":")
    uid, gid = _user(tree, name)
    return uid, _group(tree, group) if colon else gid


def _user(tree: Tree, name: str) -> tuple[int, int]:
    for fields in _lines(tree, "etc/passwd", 7):
        if name in (fields[0], fields[2]):
            return _number(fields[2]), _number(fields[3])
    if name.isdecimal():
        return _number(name), 0
    raise ImageError(f"the image has no user {name!r}", hint="write a number, or COPY an /etc/passwd first")


def _group(tree: Tree, name: str) -> int:
    for fields in _lines(tree, "etc/group", 4):
        if name == fields[0]:
            return _number(fields[2])
    if name.isdecimal():
        return _number(name)
    raise ImageError(f"the image has no group {name!r}", hint="write a number, or COPY an /etc/group first")


def _lines(tree: Tree, path: str, count: int) -> Iterator[list[str]]:
    entry = tree.find(path)
    if isinstance(entry, File | Data | Packed):
        text = contents.read(entry, _LARGEST).decode(errors="replace")
        yield from (fields for line in text.splitlines() if len(fields := line.split(":")) == count)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and int(text) <= _LAST_ID):
        raise ImageError(f"{text!r} is no number of a user or group")
    return int(text)
