# SPDX-License-Identifier: Apache-2.0
"""Archives (cpio, "newc") of an image that are to get further members: a kernel that reads one only, as
unikraft does, ends at its end.
"""

from __future__ import annotations

import posix

from urunc_common import cpio
from urunc_common.errors import ConfigError
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from urunc.operation import HostFile, ImageFile

_MAGIC = (b"070701", b"070702")
_HEADER, _FIELD = 110, 8
# The places of fields in a header.
_MODE, _SIZE, _NAME_SIZE = 1, 6, 11
_IFMT, _IFDIR, _IFLNK = 0o170000, 0o040000, 0o120000
_END = "TRAILER!!!"
_MOST_LINKS = 40
_LONGEST_NAME = 4096


class _Member(Record):
    """One of an archive, from `start` to `end`; its content begins at `data`."""

    path: str
    mode: int
    start: int
    data: int
    end: int
    link: str = ""


def copy_unended(base: int, target: int, covers: Iterable[str], what: ImageFile | HostFile) -> None:
    """Copy all of it but its end and what lies at or below these paths, and add the directories that they
    are in and it lacks.  Raises ConfigError for a file that is no whole archive.
    """
    try:
        members = tuple(_members(base))
    except ValueError as error:
        raise ConfigError(
            f"the {what.what} {what.source} is no whole archive of cpio's format newc: {error}",
            hint="make it anew, and do not compress it",
        ) from error
    links = {member.path: member.link for member in members if member.link}
    covered = [_resolve(path, links) for path in covers]
    kept = [member for member in members if not _is_covered(member.path, covered)]
    for start, end in _ranges(kept):
        _copy(base, target, start, end)
    directories = {member.path for member in kept if member.mode & _IFMT == _IFDIR}
    _write_directories(target, covered, directories)


def _members(file: int) -> Iterator[_Member]:
    size, start = posix.fstat(file).st_size, 0
    while True:
        fields = _fields(posix.pread(file, _HEADER, start))
        if not fields:
            raise ValueError(f"there is no member at byte {start}")
        name = posix.pread(file, min(fields[_NAME_SIZE], _LONGEST_NAME), start + _HEADER)
        path = name.rstrip(b"\0").decode(errors="surrogateescape")
        if path == _END:
            return
        data = _aligned(start + _HEADER + fields[_NAME_SIZE])
        if data + fields[_SIZE] > size:
            raise ValueError(f"it ends within {path}")
        mode, end = fields[_MODE], _aligned(data + fields[_SIZE])
        link = (
            posix.pread(file, fields[_SIZE], data).decode(errors="surrogateescape") if _is_link(mode) else ""
        )
        yield _Member(_clean(path), mode, start, data, end, link)
        start = end


def _fields(header: bytes) -> list[int]:
    """The numbers of a header, or none of what is none."""
    if len(header) < _HEADER or header[:6] not in _MAGIC:
        return []
    try:
        return [int(header[at : at + _FIELD], 16) for at in range(6, _HEADER, _FIELD)]
    except ValueError:
        return []


def _is_link(mode: int) -> bool:
    return mode & _IFMT == _IFLNK


def _aligned(offset: int) -> int:
    return offset + -offset % 4


def _clean(path: str) -> str:
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def _resolve(path: str, links: dict[str, str]) -> str:
    """Where a path leads when the directories that it names are links; the last part stays as it is."""
    done, rest, followed = "", _clean(path).split("/"), 0
    while rest:
        part = rest.pop(0)
        here = done.rpartition("/")[0] if part == ".." else f"{done}/{part}".lstrip("/")
        if rest and here in links and followed < _MOST_LINKS:
            followed += 1
            rest = [*_clean(links[here]).split("/"), *rest]
            done = "" if links[here].startswith("/") else done
        else:
            done = here
    return done


def _is_covered(path: str, covered: list[str]) -> bool:
    return any(path == one or path.startswith(f"{one}/") for one in covered)


def _ranges(members: Iterable[_Member]) -> Iterator[tuple[int, int]]:
    """What to copy, neighbours together."""
    start = end = 0
    for member in members:
        if member.start != end:
            yield start, end
            start = member.start
        end = member.end
    yield start, end


def _copy(source: int, target: int, start: int, end: int) -> None:
    while start < end:
        done = posix.sendfile(target, source, start, end - start)
        if not done:
            # The last one lacks the bytes that fill it up.
            done = posix.write(target, bytes(end - start))
        start += done


def _write_directories(target: int, covered: Iterable[str], there: set[str]) -> None:
    for path in covered:
        parts = path.split("/")[:-1]
        for count in range(1, len(parts) + 1):
            directory = "/".join(parts[:count])
            if directory not in there:
                there.add(directory)
                posix.write(target, cpio.member(cpio.Directory(directory)))
