# SPDX-License-Identifier: Apache-2.0
"""User namespaces: made with those that belong to them, or joined; entered last, when all that is the host's
is done.

A namespace has to have a process to be made, and whoever made it can write its maps.  So a child makes it,
and is gone when the namespaces are held by descriptors.
"""

from __future__ import annotations

import posix

from urunc.bundle.linux import IdMap
from urunc.errors import BundleError, HostError
from urunc.host import files, process, syscalls
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import NoReturn

    from urunc.bundle import Bundle, Isolation, Namespace

# Those that are to belong to the user namespace. That of mounts has the host's in it until the end, the first
# process is born into that of processes, and of the other two nobody is the owner of anything.
_BELONGING = {
    "ipc": syscalls.CLONE_NEWIPC,
    "uts": syscalls.CLONE_NEWUTS,
    "network": syscalls.CLONE_NEWNET,
}
_FILES = {"network": "net"}


class Made(Record):
    """Descriptors: of the user namespace, -1 where there is none, and of others with their flags."""

    user: int = -1
    others: tuple[tuple[int, int], ...] = ()
    has_root: bool = True
    """Somebody in it is root."""


def kinds(namespaces: Iterable[Namespace]) -> tuple[str, ...]:
    """Pure: what is made by `make`, and not by the clone."""
    return tuple(one.kind for one in namespaces if one.kind in _BELONGING and not one.path)


def make(namespace: Namespace, isolation: Isolation, belonging: tuple[str, ...]) -> Made:
    """The user namespace, and new ones that belong to it.  Raises HostError, BundleError."""
    child = _Child(namespace, sum(_BELONGING[kind] for kind in belonging))
    try:
        if not namespace.path:
            write_maps(child.pid, isolation)
        user = child.open("user")
        others = tuple((child.open(_FILES.get(kind, kind)), _BELONGING[kind]) for kind in belonging)
        return Made(user, others, any(one.container == 0 for one in isolation.uids))
    finally:
        child.end()


def adapt(bundle: Bundle) -> Bundle:
    """With the ids of a user namespace that is joined.  Raises BundleError if config.json has others."""
    namespace = bundle.namespace("user")
    if namespace is None or not namespace.path:
        return bundle
    child = _Child(namespace, 0)
    try:
        found = {"uids": _read_map(child.pid, "uid_map"), "gids": _read_map(child.pid, "gid_map")}
    finally:
        child.end()
    for name, key in (("uids", "uidMappings"), ("gids", "gidMappings")):
        asked = getattr(bundle.isolation, name)
        if asked and set(asked) != set(found[name]):
            raise BundleError(f"linux.{key} is not what the user namespace {namespace.path} has")
    return bundle.replace(isolation=bundle.isolation.replace(**found))


def write_maps(pid: int, isolation: Isolation) -> None:
    """Say who is who in the new user namespace of a process.  Raises HostError."""
    for name, key, maps in (
        ("uid_map", "uidMappings", isolation.uids),
        ("gid_map", "gidMappings", isolation.gids),
    ):
        lines = "".join(f"{one.container} {one.host} {one.size}\n" for one in maps)
        try:
            files.write(f"/proc/{pid}/{name}", lines.encode())
        except OSError as error:
            raise HostError(f"set linux.{key}", error) from error


def enter(made: Made) -> None:
    """As root of the user namespace, if it has one."""
    if made.user >= 0:
        syscalls.setns(made.user, syscalls.CLONE_NEWUSER)
        if made.has_root:
            become_root()


def enter_own(bundle: Bundle) -> None:
    """As a process of an ordinary user, which was born into its user namespace."""
    if any(one.container == 0 for one in bundle.isolation.uids):
        become_root()


def become_root() -> None:
    """Of this user namespace; where groups cannot be given up, they are those of whoever made it."""
    process.set_groups(())
    posix.setresgid(0, 0, 0)
    posix.setresuid(0, 0, 0)


class _Child:
    """A process in the namespaces, as long as it is needed."""

    def __init__(self, namespace: Namespace, flags: int) -> None:
        heard, said = posix.pipe2(posix.O_CLOEXEC)
        waits, self._end = posix.pipe2(posix.O_CLOEXEC)
        self.pid = posix.fork()
        if self.pid == 0:
            posix.close(self._end)
            _become_child(namespace, flags, said, waits)
        posix.close(said)
        posix.close(waits)
        answer = posix.read(heard, 1)
        posix.close(heard)
        if answer != b"\0":
            self.end()
            what = f"join the user namespace {namespace.path}" if namespace.path else "make a user namespace"
            number = answer[0] if answer else 5
            raise HostError(what, OSError(number, posix.strerror(number)))

    def open(self, name: str) -> int:
        """One of its namespaces."""
        return posix.open(f"/proc/{self.pid}/ns/{name}", posix.O_RDONLY | posix.O_CLOEXEC)

    def end(self) -> None:
        """Let it go, and wait for that."""
        posix.close(self._end)
        posix.waitpid(self.pid, 0)


def _become_child(namespace: Namespace, flags: int, said: int, waits: int) -> NoReturn:
    try:
        if namespace.path:
            user = posix.open(namespace.path, posix.O_RDONLY | posix.O_CLOEXEC)
            syscalls.setns(user, syscalls.CLONE_NEWUSER)
        else:
            syscalls.unshare(syscalls.CLONE_NEWUSER)
        syscalls.unshare(flags)
        posix.write(said, b"\0")
        posix.read(waits, 1)
    except OSError as error:
        posix.write(said, bytes([error.errno or 5]))
    finally:
        posix._exit(0)


def _read_map(pid: int, name: str) -> tuple[IdMap, ...]:
    lines = files.read(f"/proc/{pid}/{name}").splitlines()
    return tuple(IdMap(*map(int, line.split())) for line in lines)
