# SPDX-License-Identifier: Apache-2.0
"""What can be done to make the monitor's root: `rootfs` decides in these words, `host.apply` acts."""

from __future__ import annotations

from urunc_common.record import Record


class Directory(Record):
    """A new directory."""

    target: str


class Link(Record):
    """A symbolic link that says `content`."""

    target: str
    content: str


class HostTree(Record):
    """A directory or file of the host with all below it, read-only."""

    source: str
    target: str


class Device(Record):
    """A device node as the host has it, there at `source` if that differs, for the container's user alone."""

    target: str
    source: str = ""


class ImageFile(Record):
    """A regular file of the image, bound by descriptor."""

    source: str
    target: str
    what: str
    writable: bool = False


class ContainerTree(Record):
    """The container's own root file system."""

    target: str
    readonly: bool


class VolumeTree(Record):
    """A volume, at a path inside the tree that it is shown in, made when it is not there."""

    source: str
    tree: str
    target: str
    readonly: bool


class Listener(Record):
    """A listening socket, which the container's user may connect to."""

    target: str


class Proc(Record):
    """The processes of the container, for programs that find their own files there."""

    target: str = "/proc"


class HostFile(Record):
    """A regular file of the host, read-only."""

    source: str
    target: str
    what: str


class NewFile(Record):
    """A file whose content comes later, behind that of the `base` if there is one."""

    target: str
    base: ImageFile | HostFile | None = None
    covers: tuple[str, ...] = ()
    """What the base, an archive, is not to have; then it is not ended either."""


class Overlay(Record):
    """A file in the container's writable layer that takes a disk's writes, made when it is not there."""

    target: str
    backing: str


class PrivateCopy(Record):
    """A copy of a disk in the container's writable layer, made when it is not there."""

    target: str
    backing: str


Operation = (
    Directory
    | Link
    | HostTree
    | Device
    | ImageFile
    | HostFile
    | ContainerTree
    | VolumeTree
    | Listener
    | Proc
    | NewFile
    | Overlay
    | PrivateCopy
)
