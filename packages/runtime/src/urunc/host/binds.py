# SPDX-License-Identifier: Apache-2.0
"""Showing files and trees in the monitor's root, by descriptor, without what could do harm there."""

from __future__ import annotations

import posix

from urunc.host import files, syscalls

_AT_FDCWD = -100
_TREE = syscalls.MOUNT_ATTR_RDONLY | syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NODEV
_FILE = syscalls.MOUNT_ATTR_NOSUID | syscalls.MOUNT_ATTR_NODEV | syscalls.MOUNT_ATTR_NOEXEC
_CLONE = syscalls.OPEN_TREE_CLONE | syscalls.OPEN_TREE_CLOEXEC


def bind_tree(source: str, target: str, attributes: int = _TREE) -> None:
    """Show a directory or file of the host, with all below it, read-only unless told otherwise."""
    tree = syscalls.open_tree(_AT_FDCWD, source, _CLONE | syscalls.AT_RECURSIVE)
    try:
        syscalls.mount_setattr(tree, syscalls.AT_RECURSIVE, attributes)
        _make_mount_point(tree, target)
        syscalls.move_mount(tree, target)
    finally:
        posix.close(tree)


def bind_file(file: int, target: str, *, readonly: bool) -> None:
    """Show an open file at a path of the monitor's root."""
    tree = syscalls.open_tree(file, "", _CLONE | syscalls.AT_EMPTY_PATH)
    try:
        syscalls.mount_setattr(tree, 0, _FILE | (syscalls.MOUNT_ATTR_RDONLY if readonly else 0))
        _make_mount_point(tree, target)
        syscalls.move_mount(tree, target)
    finally:
        posix.close(tree)


def _make_mount_point(tree: int, target: str) -> None:
    if posix.fstat(tree).st_mode & 0o170000 != 0o040000:
        files.make_directories(target.rpartition("/")[0])
        posix.close(posix.open(target, posix.O_CREAT | posix.O_WRONLY | posix.O_CLOEXEC, 0o444))
        return
    files.make_directories(target)
