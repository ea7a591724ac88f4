# SPDX-License-Identifier: Apache-2.0
"""What a guest boots from, and what of the host it gets: found, decided, and packed where need be."""

from __future__ import annotations

import posix

from urunc import formats, guests, roots, volumes
from urunc.errors import HostError
from urunc.host import copies, image, packing, sources, storage
from urunc.host import detach as mounted
from urunc.machine import COPY, DISK, EXT, EXTRA_DISK, INITRD, KERNEL, NEWC, PLACED, Block, Initrd
from urunc.operation import Device, HostFile, ImageFile
from urunc.plan import Given, program
from urunc_common import guest as first_process
from urunc_common.errors import ConfigError
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.bundle import Bind, Bundle
    from urunc.machine import Volume
    from urunc.roots import Choice
    from urunc.settings import Settings
    from urunc.unikernel import Unikernel
    from urunc.volumes import Decision
    from urunc_common.config import UnikernelConfig
    from urunc_common.cpio import Entry

_WRITTEN_LATE = ("/etc/resolv.conf", "/etc/hosts", "/etc/hostname")


class Boot(Record):
    """The files to boot from, where they are, and the rest that is given to the guest."""

    choice: Choice
    kernel: ImageFile | HostFile
    initrd: ImageFile | HostFile | None
    disk: ImageFile | HostFile | Device | None
    extra_disk: ImageFile | None
    volumes: tuple[Decision, ...]
    given: Given
    virtiofsd: str
    temporary: str = ""
    """A file that has to go as soon as it is in the monitor's root."""


def find(settings: Settings, bundle: Bundle, found: Unikernel, arch: str) -> Boot:
    """Everything is decided here but what the network decides.  Raises Error."""
    config = found.config
    virtiofsd = storage.find_virtiofsd(settings.virtiofsd)
    choice = _choose_root(bundle, config, virtiofsd)
    initrd, disk = _initrd(found, choice), _disk(choice)
    _require_archive(bundle, config, initrd)
    form = _format(bundle, choice, initrd, disk) if bundle.binds else ""
    decisions = _decide_volumes(
        bundle,
        volumes.Found(
            config,
            choice.root,
            form,
            _mount_point(choice),
            program(bundle.args, config),
            bool(virtiofsd),
        ),
    )
    if isinstance(choice.root, Block) and placed(decisions):
        # An overlay is nothing that copies could be put into.
        choice = choice.replace(root=choice.root.replace(format="raw"))
    given = _given(config, arch, choice, decisions)
    return Boot(choice, kernel(found), initrd, disk, _extra_disk(choice), decisions, given, virtiofsd)


def placed(decisions: tuple[Decision, ...]) -> tuple[str, ...]:
    """Where in the root copies are put."""
    return tuple(one.volume.source for one in decisions if one.volume and one.volume.kind == PLACED)


def pack(boot: Boot, rootfs: str, limit: int) -> Boot:
    """With the container's root packed, if the choice is that; what is kept may have `limit` bytes in all.

    Raises HostError.
    """
    if not boot.choice.packed:
        return boot
    packed = packing.pack(rootfs, boot.choice.packed, limit)
    temporary = "" if packed.kept else packed.path
    root = boot.choice.root
    if not isinstance(root, Block):
        return boot.replace(initrd=HostFile(packed.path, INITRD, "packed root"), temporary=temporary)
    # An overlay would outlive a file that is not kept.
    choice = boot.choice if packed.kept else boot.choice.replace(root=root.replace(format="raw"))
    return boot.replace(choice=choice, disk=HostFile(packed.path, DISK, "packed root"), temporary=temporary)


def read_again(boot: Boot) -> Boot:
    """With the copies of files that engines write only when the network is there."""
    fresh = {
        entry.path: entry
        for one in boot.volumes
        if one.volume and one.volume.kind in (COPY, PLACED) and one.bind.destination in _WRITTEN_LATE
        for entry in _read(one.bind, one.volume)
    }
    copied = tuple(fresh.get(entry.path, entry) for entry in boot.given.copies)
    return boot.replace(given=boot.given.replace(copies=copied))


def detach(boot: Boot, rootfs: str, directory: str) -> tuple[Boot, tuple[str, ...]]:
    """What is to be unmounted so that the guest has it alone, and what boots from copies in `directory`."""
    if not isinstance(boot.disk, Device):
        return boot, ()
    root = image.open_root(rootfs)
    kept = {
        name: sources.keep(file, root, f"{directory}/{name}")
        for name, file in (("kernel", boot.kernel), ("initrd", boot.initrd))
        if isinstance(file, ImageFile)
    }
    posix.close(root)
    return boot.replace(**kept), mounted.look(rootfs)


def kernel(found: Unikernel) -> ImageFile | HostFile:
    """Where the kernel is."""
    if found.default:
        return HostFile(found.default.kernel, KERNEL, "kernel")
    return ImageFile(found.config.binary, KERNEL, "kernel")


def _initrd(found: Unikernel, choice: Choice) -> ImageFile | HostFile | None:
    if found.default:
        path = found.default.initrd
        return HostFile(path, INITRD, "initrd") if path else None
    path = choice.root.path if isinstance(choice.root, Initrd) else choice.boot
    return ImageFile(path, INITRD, "initrd") if path else None


def _disk(choice: Choice) -> ImageFile | Device | None:
    if not isinstance(choice.root, Block) or choice.packed:
        return None
    if choice.device:
        return Device(DISK, choice.root.path)
    return ImageFile(choice.root.path, DISK, "block image")


def _extra_disk(choice: Choice) -> ImageFile | None:
    return ImageFile(choice.extra.path, EXTRA_DISK, "block image") if choice.extra else None


def _choose_root(bundle: Bundle, config: UnikernelConfig, virtiofsd: str) -> Choice:
    found = storage.find(bundle.rootfs, virtiofsd) if config.mount_rootfs else roots.Candidates()
    wanted = _wanted(bundle, roots.KEY, roots.KINDS)
    return roots.choose(config, found, readonly=bundle.readonly, wanted=wanted)


def _format(
    bundle: Bundle, choice: Choice, initrd: ImageFile | HostFile | None, disk: ImageFile | Device | None
) -> str:
    """What the file is that is to become the root."""
    if choice.packed:
        return NEWC if choice.packed == "cpio" else EXT
    if isinstance(choice.root, Initrd) and initrd:
        return formats.of_archive(sources.read_head(initrd, bundle.rootfs, bundle.owner, formats.HEAD))
    if isinstance(disk, ImageFile):
        return formats.of_disk(sources.read_head(disk, bundle.rootfs, bundle.owner, formats.HEAD))
    # No guest that has copies put into its root reads anything else on a device.
    return EXT if choice.device else ""


def _mount_point(choice: Choice) -> str:
    """Of the image's disk; the container's own root has the container's paths, wherever it is mounted."""
    own = choice.packed or choice.device
    return "" if own or not isinstance(choice.root, Block) else choice.root.mount_point.rstrip("/")


def _require_archive(bundle: Bundle, config: UnikernelConfig, initrd: ImageFile | HostFile | None) -> None:
    """Linux would only panic, for lack of a program to start."""
    if not initrd or not guests.load(config.type).BOOTS_FROM_INITRD:
        return
    if not formats.of_archive(sources.read_head(initrd, bundle.rootfs, bundle.owner, formats.HEAD)):
        raise ConfigError(
            f"the initrd {initrd.source} is no archive that linux unpacks: it is damaged, or something else",
            hint="make it with cpio's format newc, as it is or compressed",
        )


def _decide_volumes(bundle: Bundle, found: volumes.Found) -> tuple[Decision, ...]:
    binds = [(bind, copies.is_directory(bind.source)) for bind in bundle.binds]
    wanted = _wanted(bundle, volumes.KEY, volumes.KINDS)
    return volumes.decide(binds, found.replace(wanted=wanted))


def _wanted(bundle: Bundle, key: str, known: tuple[str, ...]) -> str:
    value = bundle.annotations.get(key, "")
    if value not in ("", *known):
        raise ConfigError(f"{key}: unknown value {value!r}", hint=f"use one of {', '.join(known)}")
    return value


def _given(config: UnikernelConfig, arch: str, choice: Choice, decisions: tuple[Decision, ...]) -> Given:
    found = [(one.bind, one.volume) for one in decisions if one.volume]
    copied = [(bind, volume) for bind, volume in found if volume.kind in (COPY, PLACED)]
    return Given(
        tuple(volume for _, volume in found),
        tuple(entry for bind, volume in copied for entry in _read(bind, volume)),
        volumes.shares(choice.root, decisions),
        _first_process(arch) if guests.load(config.type).BOOTS_FROM_INITRD else b"",
    )


def _read(bind: Bind, volume: Volume) -> tuple[Entry, ...]:
    """The copy; where no mount can be read-only, its files are."""
    return copies.read(bind.source, volume.source, writable=volume.kind == COPY or not bind.readonly)


def _first_process(arch: str) -> bytes:
    path = first_process.init_file(arch)
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError as error:
        raise HostError(f"read {path}, the first process of Linux guests", error) from error
