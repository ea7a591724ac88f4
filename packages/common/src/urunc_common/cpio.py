# SPDX-License-Identifier: Apache-2.0
"""Archives that Linux unpacks as its initramfs (cpio, "newc"): the same entries give the same bytes.

Linux takes several archives one behind the other, each at a multiple of four bytes.
"""

from __future__ import annotations

from urunc_common.errors import Error
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_DIRECTORY, _FILE, _SYMLINK = 0o040000, 0o100000, 0o120000
LARGEST = 0xFFFFFFFF


class Directory(Record):
    """A directory."""

    path: str
    mode: int = 0o755


class File(Record):
    """A regular file."""

    path: str
    content: bytes
    mode: int = 0o644


class Symlink(Record):
    """A symbolic link."""

    path: str
    target: str


Entry = Directory | File | Symlink


def archive(entries: Iterable[Entry], *, parents: bool = True) -> bytes:
    """All entries in their order, each behind the directories that it is in; all belong to root.

    Without `parents`, those directories are elsewhere: in front of it, in an archive that goes on with this.
    """
    every = _with_parents(entries) if parents else entries
    parts = [member(entry, number) for number, entry in enumerate(every, 1)]
    return b"".join([*parts, trailer()])


def member(entry: Entry, number: int = 0) -> bytes:
    """One entry alone."""
    kind, content = _content(entry)
    return _member(number, entry.path.strip("/"), kind, content)


def join(archives: Iterable[bytes]) -> bytes:
    """Archives, compressed or not, one behind the other as Linux takes them; later files win."""
    return b"".join(padded(data) for data in archives)


def _with_parents(entries: Iterable[Entry]) -> Iterator[Entry]:
    seen: set[str] = set()
    for entry in entries:
        words = entry.path.strip("/").split("/")
        parents = ["/".join(words[:count]) for count in range(1, len(words))]
        yield from (Directory(path) for path in parents if path not in seen)
        seen.update((*parents, "/".join(words)))
        yield entry


def _content(entry: Entry) -> tuple[int, bytes]:
    if isinstance(entry, Directory):
        return _DIRECTORY | entry.mode, b""
    if isinstance(entry, Symlink):
        return _SYMLINK | 0o777, entry.target.encode(errors="surrogateescape")
    if len(entry.content) > LARGEST:
        raise Error(f"{entry.path} is too large for an initramfs", hint="put it on a disk")
    return _FILE | entry.mode, entry.content


def header(
    number: int,
    path: str,
    mode: int,
    size: int,
    owner: tuple[int, int] = (0, 0),
    mtime: int = 0,
    device: tuple[int, int] = (0, 0),
) -> bytes:
    """What is before a member's content: 110 bytes of hexadecimal numbers, and the name."""
    name = path.encode(errors="surrogateescape") + b"\0"
    links = 1 if mode else 0
    fields = (number, mode, *owner, links, mtime, size, 0, 0, *device, len(name), 0)
    return padded(b"070701" + b"".join(b"%08X" % field for field in fields) + name)


def trailer() -> bytes:
    """What is behind the last member."""
    return header(0, "TRAILER!!!", 0, 0)


def _member(number: int, path: str, mode: int, content: bytes) -> bytes:
    return header(number, path, mode, len(content)) + padded(content)


def padded(data: bytes) -> bytes:
    """Members and their names begin at multiples of four bytes."""
    return data + bytes(-len(data) % 4)
