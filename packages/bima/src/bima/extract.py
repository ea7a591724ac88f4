# SPDX-License-Identifier: Apache-2.0
"""The files of an image -> a directory of the host.

Each goes below directories that were made here, since links are resolved before: nothing leads out, and
nothing is followed.  Owners and devices take root.
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from bima import contents
from bima.errors import ImageError
from bima.tree import Directory, Link, Node, Packed

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bima.tree import Entry, Regular

_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_KINDS = {"c": stat.S_IFCHR, "b": stat.S_IFBLK, "p": stat.S_IFIFO}


def extract(entries: Mapping[str, Entry], target: Path) -> None:
    """Write everything into an empty directory; its own mode and owner are the image's, too."""
    first: dict[Entry, str] = {}
    for path, entry in sorted(entries.items()):
        if path:
            _make(os.path.join(target, path), entry, first.get(entry, ""))
        if path and isinstance(entry, Packed):
            first.setdefault(entry, os.path.join(target, path))
    # Last, and from below: what is in a directory changes its time, and may not be allowed any more.
    for path, entry in sorted(entries.items(), reverse=True):
        if isinstance(entry, Directory):
            _finish(os.path.join(target, path) if path else str(target), entry, entry.mode, entry.mtime)


def _make(path: str, entry: Entry, first: str) -> None:
    match entry:
        case Directory():
            os.mkdir(path, 0o700)
        case Link():
            os.symlink(entry.target, path)
            _own(path, entry)
        case Node():
            _make_node(path, entry)
        case Packed() if first:
            os.link(first, path, follow_symlinks=False)
        case _:
            _write(path, entry)


def _make_node(path: str, entry: Node) -> None:
    try:
        os.mknod(path, entry.mode | _KINDS[entry.kind], os.makedev(entry.major, entry.minor))
    except PermissionError as error:
        raise ImageError(f"{path} is a device, which takes root to make") from error
    _finish(path, entry, entry.mode, entry.mtime)


def _write(path: str, entry: Regular) -> None:
    with contents.opened(entry) as source, open(os.open(path, _NEW_FILE, 0o600), "wb") as file:
        for piece in source.pieces():
            file.write(piece)
    _finish(path, entry, source.mode, source.mtime)


def _finish(path: str, entry: Entry, mode: int, mtime: int) -> None:
    """The owner first, for a change of it takes the set-user-id bit away."""
    _own(path, entry)
    os.chmod(path, mode)
    os.utime(path, (mtime, mtime))


def _own(path: str, entry: Entry) -> None:
    if os.geteuid() == 0:
        os.lchown(path, entry.uid, entry.gid)
