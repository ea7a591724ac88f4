# SPDX-License-Identifier: Apache-2.0
"""Namespaces: which are new, which are joined, and in what order.

OCI runtime specification 1.2, `config-linux.md`, Namespaces.
"""

from __future__ import annotations

import fcntl
import posix

from urunc.errors import BundleError, HostError, Unsupported
from urunc.host import files, syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from urunc.bundle import Namespace, TimeOffset

_FLAGS = {
    "user": syscalls.CLONE_NEWUSER,
    "ipc": syscalls.CLONE_NEWIPC,
    "uts": syscalls.CLONE_NEWUTS,
    "network": syscalls.CLONE_NEWNET,
    "pid": syscalls.CLONE_NEWPID,
    "mount": syscalls.CLONE_NEWNS,
    "cgroup": syscalls.CLONE_NEWCGROUP,
    "time": syscalls.CLONE_NEWTIME,
}
SERVED = tuple(_FLAGS)
_NS_GET_NSTYPE = 0xB703


def check(namespaces: Iterable[Namespace]) -> None:
    """Raise Unsupported for what is not served, BundleError for a path that is no namespace."""
    for namespace in namespaces:
        if namespace.kind == "mount" and namespace.path:
            raise Unsupported("joining a mount namespace is not served: the monitor needs a root of its own")
        if namespace.path:
            _require_kind(namespace)


def has_own_network(namespaces: Iterable[Namespace]) -> bool:
    """Whether the container's network is not the host's: only then can a guest be connected to it."""
    for namespace in namespaces:
        if namespace.kind == "network":
            return not namespace.path or not _is_same(namespace.path, "/proc/self/ns/net")
    return False


def clone_flags(namespaces: Iterable[Namespace], others: Iterable[str] = ()) -> int:
    """Pure: what clone3 makes new, the mount namespace always; the cgroup's comes after the move into it, and
    that of time is there before, as are `others`.
    """
    flags = syscalls.CLONE_NEWNS
    for namespace in namespaces:
        if not namespace.path and namespace.kind not in ("cgroup", "time", *others):
            flags |= _FLAGS[namespace.kind]
    return flags


def prepare_birth(namespaces: Iterable[Namespace], offsets: Iterable[TimeOffset]) -> list[tuple[int, int]]:
    """Let the next child be born where it cannot go itself; returns what `forget_birth` takes."""
    own: list[tuple[int, int]] = []
    for namespace in namespaces:
        if (namespace.kind == "pid" and namespace.path) or (namespace.kind == "time" and not namespace.path):
            home = posix.open(f"/proc/self/ns/{namespace.kind}", posix.O_RDONLY | posix.O_CLOEXEC)
            own.append((home, _FLAGS[namespace.kind]))
            if namespace.path:
                _enter(namespace)
            else:
                _make_time(offsets)
    return own


def forget_birth(own: list[tuple[int, int]]) -> None:
    """Let later children be born in our own namespaces again."""
    for descriptor, flag in own:
        syscalls.setns(descriptor, flag)
        posix.close(descriptor)


def _make_time(offsets: Iterable[TimeOffset]) -> None:
    """Clocks can be set only as long as nobody is in there."""
    try:
        syscalls.unshare(syscalls.CLONE_NEWTIME)
    except OSError as error:
        raise HostError("make a time namespace", error) from error
    for offset in offsets:
        line = f"{offset.clock} {offset.seconds} {offset.nanoseconds}\n"
        try:
            files.write("/proc/self/timens_offsets", line.encode())
        except OSError as error:
            raise HostError(f"set linux.timeOffsets.{offset.clock}", error) from error


def enter(namespaces: Iterable[Namespace], made: Iterable[tuple[int, int]]) -> None:
    """In the container's first process, once it is in its cgroup: join the rest, and what is `made`."""
    for descriptor, flag in made:
        syscalls.setns(descriptor, flag)
    for namespace in namespaces:
        if namespace.kind == "cgroup" and not namespace.path:
            syscalls.unshare(syscalls.CLONE_NEWCGROUP)
        elif namespace.path and namespace.kind not in ("pid", "user"):
            _enter(namespace)


def _enter(namespace: Namespace) -> None:
    descriptor = _open(namespace)
    try:
        syscalls.setns(descriptor, _FLAGS[namespace.kind])
    except OSError as error:
        if error.errno == 22:  # EINVAL: a namespace of another kind, or not one at all
            raise _wrong_kind(namespace) from error
        raise HostError(f"join the {namespace.kind} namespace {namespace.path}", error) from error
    finally:
        posix.close(descriptor)


def _require_kind(namespace: Namespace) -> None:
    descriptor = _open(namespace)
    try:
        found = fcntl.ioctl(descriptor, _NS_GET_NSTYPE)
    except OSError:
        found = 0  # not a namespace at all
    finally:
        posix.close(descriptor)
    if found != _FLAGS[namespace.kind]:
        raise _wrong_kind(namespace)


def _wrong_kind(namespace: Namespace) -> BundleError:
    return BundleError(f"{namespace.path} is not a {namespace.kind} namespace")


def _is_same(one: str, other: str) -> bool:
    left, right = posix.stat(one), posix.stat(other)
    return (left.st_dev, left.st_ino) == (right.st_dev, right.st_ino)


def _open(namespace: Namespace) -> int:
    try:
        return posix.open(namespace.path, posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NONBLOCK)
    except OSError as error:
        raise BundleError(
            f"cannot open the {namespace.kind} namespace {namespace.path}: {error.strerror}"
        ) from error
