# SPDX-License-Identifier: Apache-2.0
"""Packed roots that are kept for further containers, each in a directory of its own below DIRECTORY.

A directory appears by a rename, complete, and goes by one, too: a name with a dot in front is half made or
half removed.  Whoever uses one holds a lock on it until the monitor runs, and nothing locked is removed.
What a container has written lies in an overlay of its own over the file, which needs it at each start:
`users` lists these overlays.
"""

from __future__ import annotations

import errno
import fcntl
import posix

from urunc.host import files
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator


def _directory() -> str:
    """Root's, or that of an ordinary user."""
    home, own = (posix.environ.get(name, b"").decode() for name in (b"HOME", b"XDG_CACHE_HOME"))
    own = own or (home and f"{home}/.cache")
    return f"{own}/urunc" if posix.geteuid() and own else "/var/cache/urunc"


DIRECTORY = _directory()
_IMAGE, _LAYERS, _USERS = "image", "layers", "users"
_APPEND = posix.O_WRONLY | posix.O_CREAT | posix.O_APPEND | posix.O_CLOEXEC


class Entry(Record):
    """One of them; `reason` says why it serves nobody any more, if that is so."""

    path: str
    size: int
    used_ns: int
    reason: str = ""


def identity(layer: str) -> str:
    """A directory is the same as long as this is."""
    found = posix.stat(layer)
    return f"{found.st_ino}.{found.st_ctime_ns} {layer}"


def use(name: str, user: str) -> str:
    """The file that is kept under a name, or "".  It stays until this process, and all it forks, are gone or
    have executed something.  `user` is the overlay that needs it again, if any.
    """
    path = f"{DIRECTORY}/{name}"
    lock = _lock(path, fcntl.LOCK_SH)
    if lock < 0:
        return ""
    posix.utime(f"{path}/{_IMAGE}")
    if user and user not in _lines(f"{path}/{_USERS}"):
        descriptor = posix.open(f"{path}/{_USERS}", _APPEND, 0o600)
        files.write_all(descriptor, f"{user}\n".encode(errors="surrogateescape"))
        posix.close(descriptor)
    return f"{path}/{_IMAGE}"


def make(name: str, layers: Iterable[str], fill: Callable[[str], None], limit: int) -> None:
    """Keep under a name what `fill` writes, then make room: all together is to have at most `limit` bytes.

    What another process has made meanwhile stays.  Raises what `fill` raises.
    """
    path, lock = _begin(fill)
    try:
        files.replace(f"{path}/{_LAYERS}", "\n".join(map(identity, layers)).encode(errors="surrogateescape"))
        posix.rename(path, f"{DIRECTORY}/{name}")
        _make_room(limit)
    except OSError as error:
        if files.exists(path):
            _empty(path)
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY):
            raise
    finally:
        posix.close(lock)


def make_private(fill: Callable[[str], None]) -> str:
    """A file for this process only, to be removed by `drop`."""
    return f"{_begin(fill)[0]}/{_IMAGE}"


def drop(file: str) -> None:
    """Remove what `make_private` made."""
    _empty(file.rpartition("/")[0])


def entries() -> tuple[Entry, ...]:
    """All that nobody has locked, those that are half made or removed included."""
    return tuple(entry for name in _names() if (entry := _look(f"{DIRECTORY}/{name}")))


def remove(path: str) -> bool:
    """Unless it is in use."""
    lock = _lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if lock < 0:
        return False
    try:
        if _has_users(path):
            return False
        hidden = f"{DIRECTORY}/.{posix.urandom(8).hex()}"
        posix.rename(path, hidden)
        _empty(hidden)
    finally:
        posix.close(lock)
    return True


def _make_room(limit: int) -> None:
    """What serves nobody goes, then what was not used for the longest time."""
    found = entries()
    for entry in found:
        if entry.reason:
            remove(entry.path)
    kept = sorted((entry for entry in found if not entry.reason), key=lambda entry: entry.used_ns)
    size = sum(entry.size for entry in kept)
    for entry in kept:
        if size > limit and remove(entry.path):
            size -= entry.size


def _begin(fill: Callable[[str], None]) -> tuple[str, int]:
    """A hidden directory with the file in it, and the lock on it."""
    files.make_directories(DIRECTORY, 0o700)
    lock = -1
    while lock < 0:
        # Until it is locked, others may take it for what a crash has left.
        path = f"{DIRECTORY}/.{posix.urandom(8).hex()}"
        posix.mkdir(path, 0o700)
        lock = _lock(path, fcntl.LOCK_EX)
    try:
        fill(f"{path}/{_IMAGE}")
    except BaseException:
        _empty(path)
        posix.close(lock)
        raise
    return path, lock


def _lock(path: str, how: int) -> int:
    """A locked descriptor of a directory; -1 where that has gone, or is locked by others and may not wait."""
    try:
        descriptor = posix.open(path, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        return -1
    try:
        fcntl.flock(descriptor, how)
        same = posix.fstat(descriptor).st_ino == posix.stat(path).st_ino
    except (BlockingIOError, FileNotFoundError):
        same = False
    if not same:
        posix.close(descriptor)
    return descriptor if same else -1


def _names() -> Iterator[str]:
    try:
        yield from sorted(posix.listdir(DIRECTORY))
    except FileNotFoundError:
        return


def _look(path: str) -> Entry | None:
    lock = _lock(path, fcntl.LOCK_EX | fcntl.LOCK_NB)
    if lock < 0:
        return None
    try:
        return _read(path)
    finally:
        posix.close(lock)


def _read(path: str) -> Entry:
    reason = "which was never finished" if path.rpartition("/")[2].startswith(".") else ""
    try:
        found = posix.stat(f"{path}/{_IMAGE}")
    except FileNotFoundError:
        return Entry(path, 0, 0, reason or "which is not whole")
    if not reason and not _has_users(path) and _has_lost_a_layer(path):
        reason = "whose image is gone"
    return Entry(path, found.st_blocks * 512, found.st_mtime_ns, reason)


def _has_users(path: str) -> bool:
    return any(map(files.exists, _lines(f"{path}/{_USERS}")))


def _has_lost_a_layer(path: str) -> bool:
    for line in _lines(f"{path}/{_LAYERS}"):
        try:
            if identity(line.partition(" ")[2]) != line:
                return True
        except (FileNotFoundError, NotADirectoryError):
            return True
    return False


def _lines(path: str) -> list[str]:
    try:
        return files.read(path).decode(errors="surrogateescape").splitlines()
    except FileNotFoundError:
        return []


def _empty(path: str) -> None:
    for name in posix.listdir(path):
        files.unlink(f"{path}/{name}")
    posix.rmdir(path)
