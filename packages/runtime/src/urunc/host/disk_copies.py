# SPDX-License-Identifier: Apache-2.0
"""Copies of volumes in a disk with ext2, ext3 or ext4, for a guest that mounts nothing itself.

The file system may be an image's, so the host's kernel never mounts it: the programs of e2fsprogs write into
it, as a user that may do nothing else.
"""

from __future__ import annotations

import posix

from urunc.bundle import User
from urunc.capabilities import Sets
from urunc.errors import HostError
from urunc.host import files, process, syscalls
from urunc_common.cpio import Directory, File
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import NoReturn

    from urunc_common.cpio import Entry

NOBODY = 65534
_PATH = "/usr/sbin:/sbin:/usr/bin:/bin"
# Where the programs find the disk.
_DISK, _DISK_PATH = 3, "/proc/self/fd/3"
# Of e2fsck: nothing was wrong, or nothing is any more.
_SOUND = (0, 1)
# What debugfs says when all is well, besides each command: its version, and the number of a new file.
_USUAL = ("debugfs ", "Allocated inode: ")
_FLAGS = syscalls.MS_NOSUID | syscalls.MS_NOEXEC
_IFMT, _IFDIR, _IFBLK = 0o170000, 0o040000, 0o060000
_MODES = {File: 0o100000, Directory: 0o040000}


class Place(Record):
    """The disk, where a directory for what is to be written into it may be made, and the user that writes."""

    path: str
    staging: str
    user: int = NOBODY
    disk: int = -1
    """Once it is open."""


def put(place: Place, entries: tuple[Entry, ...], covers: Iterable[str]) -> None:
    """Write entries into a disk, in place of what is at these paths.  Raises HostError."""
    try:
        _put(place, entries, tuple(covers))
    except OSError as error:
        raise HostError("put the copies of volumes into the guest's disk", error) from error


def _put(place: Place, entries: tuple[Entry, ...], covers: tuple[str, ...]) -> None:
    posix.mkdir(place.staging, 0o700)
    # In a mount namespace that goes with this process, so do the copies.
    syscalls.mount("tmpfs", place.staging, "tmpfs", _FLAGS, f"mode=0700,uid={place.user}")
    owner = posix.stat(place.path)
    place = place.replace(disk=_open(place.path, owner, place.staging))
    try:
        posix.chown(place.disk, place.user, place.user)
        _check(place)
        for path in covers:
            _debugfs(place, [*_removal(place, path), *_parents(place, path)])
        _debugfs(place, list(_commands(place, entries)))
    finally:
        posix.chown(place.disk, owner.st_uid, owner.st_gid)
        posix.close(place.disk)
        syscalls.umount2(place.staging, 0)
        posix.rmdir(place.staging)


def _open(disk: str, found: posix.stat_result, staging: str) -> int:
    """A device by a node of its own: that of the monitor cannot be given to another user."""
    if found.st_mode & _IFMT == _IFBLK:
        disk = f"{staging}/disk"
        posix.mknod(disk, _IFBLK | 0o600, found.st_rdev)
    return posix.open(disk, posix.O_RDWR | posix.O_CLOEXEC)


def _check(place: Place) -> None:
    """A guest that was killed leaves a journal, and counts that are wrong."""
    status, words = _run(place, ("e2fsck", "-p", _DISK_PATH))
    if status not in _SOUND:
        complaints = [line.strip() for line in words.splitlines() if line and not line.startswith("e2fsck 1")]
        raise OSError(5, f"its file system is damaged: {next(iter(complaints), status)}")


def _removal(place: Place, path: str) -> Iterator[str]:
    """What takes away all that is at a path, from the leaves on."""
    found = _look(place, path)
    if found is None:
        return
    if found & _IFMT != _IFDIR:
        yield f"rm {_quoted(path)}"
        return
    for name in _names(place, path):
        yield from _removal(place, f"{path}/{name}")
    yield f"rmdir {_quoted(path)}"


def _parents(place: Place, path: str) -> Iterator[str]:
    parts = path.strip("/").split("/")[:-1]
    for count in range(1, len(parts) + 1):
        parent = "/" + "/".join(parts[:count])
        if _look(place, parent) is None:
            yield f"mkdir {_quoted(parent)}"


def _commands(place: Place, entries: Iterable[Entry]) -> Iterator[str]:
    for number, entry in enumerate(entries):
        path = _quoted(entry.path)
        if isinstance(entry, File):
            files.replace(f"{place.staging}/{number}", entry.content)
            posix.chown(f"{place.staging}/{number}", place.user, place.user)
            yield f"write {number} {path}"
        elif isinstance(entry, Directory):
            yield f"mkdir {path}"
        else:
            yield f"symlink {path} {_quoted(entry.target)}"
            continue
        yield f"set_inode_field {path} mode 0{_MODES[type(entry)] | entry.mode:o}"


def _look(place: Place, path: str) -> int | None:
    """The mode of what is there, or None."""
    parent, _, name = path.rstrip("/").rpartition("/")
    return dict(_list(place, parent or "/")).get(name)


def _names(place: Place, path: str) -> list[str]:
    return [name for name, _ in _list(place, path)]


def _list(place: Place, path: str) -> Iterator[tuple[str, int]]:
    """Names and modes, from lines like `/INODE/MODE/UID/GID/NAME/SIZE/`."""
    for line in _run(place, ("debugfs", "-R", f"ls -p {_quoted(path)}", _DISK_PATH))[1].splitlines():
        fields = line.split("/")
        if len(fields) == 8 and fields[5] not in (".", ".."):
            yield fields[5], int(fields[2], 8)


def _debugfs(place: Place, commands: list[str]) -> None:
    if not commands:
        return
    script = f"{place.staging}/commands"
    files.replace(script, "".join(f"{command}\n" for command in commands).encode(errors="surrogateescape"))
    posix.chown(script, place.user, place.user)
    _, words = _run(place, ("debugfs", "-w", "-f", "commands", _DISK_PATH))
    echoes = {f"debugfs: {command}" for command in commands}
    for line in words.splitlines():
        if line and line not in echoes and not line.startswith(_USUAL):
            raise OSError(5, line.strip())


def _quoted(path: str) -> str:
    if "\n" in path:
        raise OSError(22, f"a name must not have a line's end: {path!r}")
    return '"' + path.replace('"', '""') + '"'


def _run(place: Place, argv: tuple[str, ...]) -> tuple[int, str]:
    """Its status, and what it said."""
    program = process.search(argv[0], _PATH)
    if not program:
        raise FileNotFoundError(2, f"{argv[0]} (of e2fsprogs) is not installed")
    heard, said = posix.pipe2(posix.O_CLOEXEC)
    child = posix.fork()
    if child == 0:
        _become(program, argv, place, said)
    posix.close(said)
    words = b"".join(iter(lambda: posix.read(heard, 65536), b""))
    posix.close(heard)
    status = posix.waitstatus_to_exitcode(posix.waitpid(child, 0)[1])
    return status, words.decode(errors="surrogateescape")


def _become(program: str, argv: tuple[str, ...], place: Place, said: int) -> NoReturn:
    try:
        posix.chdir(place.staging)
        null = posix.open("/dev/null", posix.O_RDWR)
        for source, target in ((null, 0), (said, 1), (said, 2), (place.disk, _DISK)):
            posix.dup2(source, target)
        process.reset_signals()
        process.keep_only((_DISK,))
        process.become(User(place.user, place.user), Sets(), no_new_privileges=True)
        posix.execve(program, list(argv), {"PATH": _PATH, "LC_ALL": "C"})
    except OSError as error:
        posix.write(2, f"cannot execute {program}: {error.strerror}\n".encode())
    finally:
        posix._exit(127)
