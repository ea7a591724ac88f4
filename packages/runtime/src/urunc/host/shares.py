# SPDX-License-Identifier: Apache-2.0
"""Directories of the host for the guest, and the program that serves them."""

from __future__ import annotations

import posix

from urunc import capabilities
from urunc.bundle import User
from urunc.errors import HostError
from urunc.host import files, image, process, syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

    from urunc.operation import VolumeTree

_SHARED = syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NODEV | syscalls.MOUNT_ATTR_NOEXEC
_AT_FDCWD = -100
_CLONE = syscalls.OPEN_TREE_CLONE | syscalls.OPEN_TREE_CLOEXEC
_ROOT = User()
_PATH = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"}


def bind_container(image_root: int, target: str, *, readonly: bool) -> None:
    """Show the container's root file system, without what is mounted in it."""
    tree = syscalls.open_tree(image_root, "", _CLONE | syscalls.AT_EMPTY_PATH)
    try:
        syscalls.mount_setattr(tree, 0, _attributes(readonly=readonly))
        files.make_directories(target)
        syscalls.move_mount(tree, target)
    finally:
        posix.close(tree)


def bind_volume(operation: VolumeTree, root: str) -> None:
    """Show a volume in the tree that it belongs to.  Raises HostError when it has vanished."""
    try:
        tree = syscalls.open_tree(_AT_FDCWD, operation.source, _CLONE | syscalls.AT_RECURSIVE)
    except OSError as error:
        raise HostError(f"open the volume {operation.source} for {operation.target}", error) from error
    try:
        is_directory = posix.fstat(tree).st_mode & 0o170000 == 0o040000
        attributes = _attributes(readonly=operation.readonly)
        syscalls.mount_setattr(tree, syscalls.AT_RECURSIVE, attributes)
        within = image.open_root(f"{root}{operation.tree}")
        target = image.make_target(within, operation.target, directory=is_directory)
        syscalls.move_mount_onto(tree, target)
        posix.close(target)
        posix.close(within)
    except OSError as error:
        raise HostError(f"mount the volume {operation.source} at {operation.target}", error) from error
    finally:
        posix.close(tree)


def mount_proc(target: str) -> None:
    """The processes of this pid namespace; the rest of it root could write to, so nobody can."""
    files.make_directories(target)
    flags = syscalls.MS_NOSUID | syscalls.MS_NODEV | syscalls.MS_NOEXEC
    syscalls.mount("proc", target, "proc", flags)
    syscalls.mount("", target, "", flags | syscalls.MS_REMOUNT | syscalls.MS_BIND | syscalls.MS_RDONLY)


def serve(argv: tuple[str, ...], listener: int, enter: Callable[[], None], *, silent: bool) -> None:
    """Start virtiofsd as a child that goes on when this process has become the monitor."""
    if posix.fork() == 0:
        _become_server(argv, listener, enter, streams=(0, 1, 2) if silent else (0, 1))
    posix.close(listener)


def _become_server(
    argv: tuple[str, ...], listener: int, enter: Callable[[], None], streams: tuple[int, ...]
) -> NoReturn:
    try:
        null = posix.open("/dev/null", posix.O_RDWR)
        for stream in streams:
            posix.dup2(null, stream)
        process.reset_signals()
        process.keep_only((listener,))
        enter()
        # With the last it gives up its own way to the others.
        allowed = capabilities.mask((*capabilities.FILE_SERVER, "CAP_SETPCAP"))
        sets = capabilities.Sets(allowed, allowed, allowed)
        process.become(_ROOT, sets, no_new_privileges=True)
        posix.execve(argv[0], list(argv), _PATH)
    except OSError as error:
        posix.write(2, f"urunc: cannot execute {argv[0]}: {error.strerror}\n".encode())
    finally:
        posix._exit(127)


def _attributes(*, readonly: bool) -> int:
    return _SHARED | (syscalls.MOUNT_ATTR_RDONLY if readonly else 0)
