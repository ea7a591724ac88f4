# SPDX-License-Identifier: Apache-2.0
"""A unikernel and its root file system, as flags, bunnyfiles and Kraftfiles describe them.  Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from urunc_common.rules import nearest

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bima.instruction import Line

# Where an image made of a package has its files.
KERNEL = "/.boot/kernel"
ROOT = "/.boot/rootfs"
BOOT = "/.boot/initrd"
RAW, BLOCK = "raw", "block"
ROOT_KINDS = (RAW, "initrd", BLOCK, "ext4", "ext2", "erofs")
# What a guest has unless something else is asked for, where that is not the image's own files.
_USUAL = {"unikraft": "initrd"}
# The file system of a disk that a guest knows, where that is not ext4; and where it goes.
_DISKS = {"rumprun": "ext2"}
_MOUNT_POINTS = {"rumprun": "/data"}


@dataclass(frozen=True)
class Place:
    """A file or directory: of the build directory, or of an image.  An empty path is all of the image."""

    line: Line
    path: str = ""
    image: str = ""


@dataclass(frozen=True)
class Include:
    """One thing that is put into the root file system."""

    source: Place
    destination: str


@dataclass(frozen=True)
class Root:
    """The root file system: what is in it, and as what kind of file the guest gets it."""

    line: Line
    kind: str = ""
    source: Place | None = None
    includes: tuple[Include, ...] = ()
    size: int = 0
    compression: str = "none"
    # Whether there is no root if its source is not there.
    optional: bool = False

    def kind_for(self, guest: str) -> str:
        """The kind that was asked for, or else the usual one; a block image is of the guest's file system."""
        kind = self.kind or _USUAL.get(guest, RAW)
        return _DISKS.get(guest, "ext4") if kind == BLOCK else kind


@dataclass(frozen=True)
class Package:
    """Everything that an image is to be; lists that are None are the base's."""

    guest: str
    monitor: str
    kernel: Place
    version: str = ""
    architecture: str = ""
    root: Root | None = None
    # An initrd that only boots a Linux guest, which goes on to its root.
    boot: Place | None = None
    entrypoint: tuple[str, ...] | None = None
    cmd: tuple[str, ...] | None = None
    env: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)


def mount_point(guest: str) -> str:
    """Where a guest has its block image."""
    return _MOUNT_POINTS.get(guest, "/")


def require_kind(line: Line, kind: str) -> None:
    """Raise unless it is a kind of root file system."""
    if kind not in ROOT_KINDS:
        raise line.error(
            f"unknown kind of root file system {kind!r}",
            f"did you mean {nearest(kind, ROOT_KINDS)}? known: {', '.join(ROOT_KINDS)}",
        )
