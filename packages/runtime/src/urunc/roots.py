# SPDX-License-Identifier: Apache-2.0
"""What becomes the guest's root file system, and why.  Pure.

The order: the image's initrd, its block image, the device that the container's root lies on, the container's
root as a share by virtiofs, by 9p, or packed into an image of its own.
"""

from __future__ import annotations

from urunc import guests, monitors
from urunc.errors import Unsupported
from urunc.machine import NINEP, VIRTIOFS, Block, Initrd, Share
from urunc_common.record import Record
from urunc_common.rules import a_unikernel

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from urunc.guests import GuestModule
    from urunc.machine import Root
    from urunc.monitors import MonitorModule
    from urunc_common.config import UnikernelConfig

# The annotation of a container that forces a choice.
KEY = "run.urunc.root"
TAG = "fs0"
DEVICE, PACKED = "device", "packed"
KINDS = (DEVICE, VIRTIOFS, NINEP, PACKED)


class Candidates(Record):
    """What the host found that a root could be made of."""

    device: str = ""
    """The block device whose file system the container's root is, if that is used by nothing else."""
    fstype: str = ""
    virtiofsd: bool = False
    mke2fs: bool = False


class Choice(Record):
    """The root, and how it came to be that."""

    root: Root
    boot: str = ""
    """An initrd of the image that boots the guest, which then changes to its root."""
    packed: str = ""
    """The format that the container's root is to be packed into; `root` has no path yet."""
    device: bool = False
    """The root is the device that the container's root is mounted from."""
    extra: Block | None = None
    """The image's block image, as a further disk."""
    reason: str = ""


class _Option(Record):
    kind: str
    choice: Choice
    obstacle: str = ""


def choose(config: UnikernelConfig, found: Candidates, *, readonly: bool = False, wanted: str = "") -> Choice:
    """The first that nothing stands in the way of; `wanted` is one of KINDS or empty.  Raises Unsupported."""
    guest = guests.load(config.type)
    _refuse_a_second_root(config, guest)
    choice = _choose_root(config, guest, found, readonly=readonly, wanted=wanted)
    if not config.block or (isinstance(choice.root, Block) and choice.root.path == config.block):
        return choice
    reason = f"{choice.reason}; its block image is a further disk, at {config.block_mount_point}"
    return choice.replace(extra=_image_block(config, readonly=readonly), reason=reason)


def _choose_root(
    config: UnikernelConfig, guest: GuestModule, found: Candidates, *, readonly: bool, wanted: str
) -> Choice:
    boot = config.initrd if guest.BOOTS_FROM_INITRD and (_is_root(config) or config.mount_rootfs) else ""
    if config.initrd and not boot:
        return _checked(config, Choice(Initrd(config.initrd), reason="the image has an initrd"))
    if config.block and (_is_root(config) or not guest.BOOTS_FROM_INITRD):
        block = _image_block(config, readonly=readonly)
        return _checked(config, Choice(block, boot, reason="the image has a block image"))
    if not config.mount_rootfs:
        return Choice(None, reason="the image names no root")
    return _from_container(config, found, boot, readonly=readonly, wanted=wanted)


def _refuse_a_second_root(config: UnikernelConfig, guest: GuestModule) -> None:
    if config.block and config.initrd and not guest.BOOTS_FROM_INITRD:
        raise Unsupported(
            f"the image names an initrd and a block image, but {a_unikernel(config.type)} has one root",
            hint="keep one of the two annotations; a linux unikernel can have both",
        )


def _is_root(config: UnikernelConfig) -> bool:
    return bool(config.block) and config.block_mount_point == "/"


def _image_block(config: UnikernelConfig, *, readonly: bool) -> Block:
    """A block image of format "qcow2" is to be given as an overlay over the image."""
    overlay = monitors.load(config.hypervisor).OVERLAYS and not readonly
    return Block(
        config.block, config.block_mount_point, readonly=readonly, format="qcow2" if overlay else "raw"
    )


def _checked(config: UnikernelConfig, choice: Choice) -> Choice:
    guest = guests.load(config.type)
    if not isinstance(choice.root, guest.ROOTS):
        kind = "an initrd" if isinstance(choice.root, Initrd) else "a block image"
        raise Unsupported(
            f"{a_unikernel(config.type)} cannot use {kind} as its root file system",
            hint=f"it can have {_accepted(guest)}: change the annotations of the image",
        )
    return choice


def _accepted(guest: GuestModule) -> str:
    words = {Initrd: "an initrd", Block: "a block image", Share: "the container's root (mountRootfs)"}
    return " or ".join(words[kind] for kind in guest.ROOTS) or "none"


def _from_container(
    config: UnikernelConfig, found: Candidates, boot: str, *, readonly: bool, wanted: str
) -> Choice:
    obstacles: list[str] = []
    for option in _options(config, found, boot, readonly=readonly):
        obstacle = f"{wanted} is asked for" if wanted not in ("", option.kind) else option.obstacle
        if not obstacle:
            return option.choice.replace(
                reason="; ".join([f"the container's root by {option.kind}", *obstacles])
            )
        obstacles.append(f"not by {option.kind}: {obstacle}")
    raise Unsupported(
        f"{a_unikernel(config.type)} on {config.hypervisor} cannot have the container's root as its own",
        hint="; ".join(obstacles),
    )


def _options(config: UnikernelConfig, found: Candidates, boot: str, *, readonly: bool) -> Iterator[_Option]:
    guest, monitor = guests.load(config.type), monitors.load(config.hypervisor)
    yield _Option(
        DEVICE,
        Choice(Block(found.device, guest.CONTAINER.mount_point, readonly=readonly), boot, device=True),
        _why_no_device(config, guest, found),
    )
    for kind, there in ((VIRTIOFS, found.virtiofsd), (NINEP, True)):
        share = Share(TAG, kind=kind, readonly=readonly)
        yield _Option(kind, Choice(share, boot), _why_no_share(guest, monitor, kind, there=there))
    yield _packed(config, found, boot, readonly=readonly)


def _why_no_device(config: UnikernelConfig, guest: GuestModule, found: Candidates) -> str:
    if config.block:
        return "the image's block image lies on it"
    if not found.device:
        return "its snapshotter gives it no block device of its own"
    if found.fstype not in guest.CONTAINER.filesystems:
        return f"the guest cannot read {found.fstype}"
    return ""


def _why_no_share(guest: GuestModule, monitor: MonitorModule, kind: str, *, there: bool) -> str:
    if kind not in guest.CONTAINER.shares:
        return "the guest does not know it"
    if kind not in monitor.OFFERS:
        return "the monitor does not know it"
    return "" if there else "virtiofsd is not installed"


def _packed(config: UnikernelConfig, found: Candidates, boot: str, *, readonly: bool) -> _Option:
    guest = guests.load(config.type)
    fmt = guest.CONTAINER.packed
    if fmt == "cpio":
        return _Option(PACKED, Choice(Initrd(""), packed=fmt))
    overlay = monitors.load(config.hypervisor).OVERLAYS and not readonly
    block = Block("", guest.CONTAINER.mount_point, readonly=readonly, format="qcow2" if overlay else "raw")
    obstacle = "" if found.mke2fs else "mke2fs (of e2fsprogs) is not installed"
    return _Option(PACKED, Choice(block, boot, fmt), obstacle if fmt else "the guest reads no such image")
