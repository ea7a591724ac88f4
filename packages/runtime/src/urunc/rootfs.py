# SPDX-License-Identifier: Apache-2.0
"""The monitor's own small root, as a list of things to do.  Pure; `host.apply` does them, in order.

It holds the host's /usr and nothing else of the host, the devices that the monitor needs, and the image's
files under fixed names.  Libraries are not picked one by one: QEMU loads modules and firmware by name at
run time.
"""

from __future__ import annotations

from urunc.machine import DISK, INITRD, KERNEL, Block, Initrd
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from urunc.machine import Root

# Where the image lies beneath an overlay that takes the guest's writes.
BACKING = "/disk0.image"
OVERLAY_NAME = ".urunc-disk0.qcow2"
_ALWAYS = ("/dev/null", "/dev/urandom")
_OVERLAY_FORMAT = "qcow2"


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
    """A device node as the host has it, for the container's user alone."""

    target: str


class ImageFile(Record):
    """A regular file of the image, bound by descriptor."""

    source: str
    target: str
    what: str
    writable: bool = False


class NewFile(Record):
    """A file whose content comes later, behind that of a file of the image if there is a `base`."""

    target: str
    base: str = ""


class Overlay(Record):
    """A file in the container's writable layer that takes a disk's writes, made when it is not there."""

    image: str
    target: str
    backing: str


Operation = Directory | Link | HostTree | Device | ImageFile | NewFile | Overlay


def operations(
    devices: Iterable[str],
    *,
    kernel: str,
    root: Root,
    files: Iterable[str] = (),
    monitor: str,
    links: Mapping[str, str],
) -> tuple[Operation, ...]:
    """What makes the root of a monitor that needs these devices.

    `kernel` and `root` name files of the image, `files` those that are made for the monitor, `monitor` is the
    program on the host, and `links` says where the host's /bin, /lib... lead ("" for a directory of its own).
    """
    made = frozenset(files)
    return (
        Directory("/dev"),
        Directory("/usr"),
        HostTree("/usr", "/usr"),
        *(_top_level(name, content) for name, content in links.items()),
        *_monitor_prefix(monitor),
        *(Device(path) for path in (*_ALWAYS, *devices)),
        ImageFile(kernel, KERNEL, "kernel"),
        *_root_files(root, made),
        *(NewFile(path) for path in sorted(made - {INITRD if isinstance(root, Initrd) else ""})),
    )


def _top_level(name: str, content: str) -> Operation:
    return Link(f"/{name}", content) if content else HostTree(f"/{name}", f"/{name}")


def _monitor_prefix(monitor: str) -> tuple[Operation, ...]:
    """A monitor outside /usr comes with the directory tree that it was installed into."""
    directory = monitor.rpartition("/")[0]
    if monitor.startswith("/usr/"):
        return ()
    parent, _, name = directory.rpartition("/")
    tree = parent if name in ("bin", "sbin", "libexec") and parent.count("/") > 1 else monitor
    return (HostTree(tree, tree),)


def _root_files(root: Root, made: frozenset[str]) -> tuple[Operation, ...]:
    if isinstance(root, Initrd) and INITRD in made:
        return (NewFile(INITRD, root.path),)
    if isinstance(root, Initrd):
        return (ImageFile(root.path, INITRD, "initrd"),)
    if isinstance(root, Block) and root.format == _OVERLAY_FORMAT:
        return (ImageFile(root.path, BACKING, "block image"), Overlay(root.path, DISK, BACKING))
    if isinstance(root, Block):
        return (ImageFile(root.path, DISK, "block image", writable=not root.readonly),)
    return ()
