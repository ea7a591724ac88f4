# SPDX-License-Identifier: Apache-2.0
"""The monitor's own small root, as a list of things to do.  Pure; `host.apply` does them, in order.

It holds the host's /usr and nothing else of the host, the devices that the monitor needs, the image's files
under fixed names, and what is shared with the guest.  Libraries are not picked one by one: QEMU loads modules
and firmware by name at run time.
"""

from __future__ import annotations

from urunc.machine import INITRD, NINEP, PLACED, SHARE, VIRTIOFS, VOLUMES, WITHIN, Block, Share
from urunc.operation import (
    ContainerTree,
    Device,
    Directory,
    HostFile,
    HostTree,
    ImageFile,
    Link,
    Listener,
    NewFile,
    Operation,
    Overlay,
    PrivateCopy,
    Proc,
    VolumeTree,
)  # fmt: skip
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from urunc.bundle import Bind
    from urunc.machine import LaunchPlan, Root, Volume

_ALWAYS = ("/dev/null", "/dev/urandom")
_OVERLAY_FORMAT = "qcow2"


class Surroundings(Record):
    """What the monitor's root has to hold."""

    monitor: str
    """The program on the host."""
    virtiofsd: str
    """Another one, where something is shared by virtiofs."""
    kernel: ImageFile | HostFile
    initrd: ImageFile | HostFile | None
    """What the guest has of one, before anything is added."""
    disk: ImageFile | HostFile | Device | None
    """What the guest's root is, if that is a block device."""
    root: Root
    extra_disk: ImageFile | None
    extra: Block | None
    links: Mapping[str, str]
    """Where the host's /bin, /lib... lead; "" for a directory of its own."""
    volumes: tuple[tuple[Bind, Volume], ...] = ()
    devices: tuple[str, ...] = ()


def operations(plan: LaunchPlan, wanted: Surroundings) -> tuple[Operation, ...]:
    """What makes the root for a plan, whose devices, files and shares do not depend on the network."""
    base = wanted.initrd
    files = {file.path: file.covers for file in sorted(plan.files, key=lambda file: file.path)}
    return (
        Directory("/dev"),
        Directory("/usr"),
        HostTree("/usr", "/usr"),
        *(_top_level(name, content) for name, content in wanted.links.items()),
        *(HostTree(tree, tree) for tree in _prefixes(plan, wanted)),
        *(Device(path) for path in (*_ALWAYS, *plan.devices, *wanted.devices)),
        wanted.kernel,
        *(() if not base or INITRD in files else (base,)),
        *(NewFile(path, base if path == INITRD else None, covers) for path, covers in files.items()),
        *_disk(wanted.root, wanted.disk, private=_has_copies(wanted)),
        *_disk(wanted.extra, wanted.extra_disk),
        *_shared(plan, wanted),
    )


def _shared(plan: LaunchPlan, wanted: Surroundings) -> Iterable[Operation]:
    root = wanted.root
    if isinstance(root, Share):
        yield ContainerTree(SHARE, root.readonly)
    elif plan.shares:
        yield Directory(VOLUMES)
    for bind, volume in wanted.volumes:
        if volume.kind == WITHIN:
            yield VolumeTree(bind.source, SHARE, volume.target, volume.readonly)
        elif volume.kind in (VIRTIOFS, NINEP):
            yield VolumeTree(bind.source, VOLUMES, volume.source.partition("/")[2], volume.readonly)
    if plan.shares:
        # Both kinds of servers look for their own open files there.
        yield Proc()
    yield from (Listener(share.socket) for share in plan.shares if share.kind == VIRTIOFS)


def _top_level(name: str, content: str) -> Operation:
    return Link(f"/{name}", content) if content else HostTree(f"/{name}", f"/{name}")


def _prefixes(plan: LaunchPlan, wanted: Surroundings) -> list[str]:
    """A program outside /usr comes with the directory tree that it was installed into."""
    served = any(share.kind == VIRTIOFS for share in plan.shares)
    programs = (wanted.monitor, wanted.virtiofsd) if served else (wanted.monitor,)
    trees = sorted({_prefix(program) for program in programs if not program.startswith("/usr/")})
    return [tree for tree in trees if not any(tree.startswith(f"{other}/") for other in trees)]


def _prefix(program: str) -> str:
    parent, _, name = program.rpartition("/")[0].rpartition("/")
    return parent if name in ("bin", "sbin", "libexec") and parent.count("/") > 1 else program


def backing(disk: str) -> str:
    """Where the image of a disk lies beneath the file that takes the guest's writes."""
    return f"{disk}.image"


def _has_copies(wanted: Surroundings) -> bool:
    return any(volume.kind == PLACED for _, volume in wanted.volumes)


def _disk(
    root: Root, disk: ImageFile | HostFile | Device | None, *, private: bool = False
) -> tuple[Operation, ...]:
    if not isinstance(root, Block) or disk is None:
        return ()
    if isinstance(disk, Device) or (root.readonly and not private):
        return (disk,)
    below = backing(disk.target)
    if root.format == _OVERLAY_FORMAT:
        return (disk.replace(target=below), Overlay(disk.target, below))
    if isinstance(disk, ImageFile) and not private:
        return (disk.replace(writable=True),)
    return (disk.replace(target=below), PrivateCopy(disk.target, below))
