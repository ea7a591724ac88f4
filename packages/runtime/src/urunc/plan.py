# SPDX-License-Identifier: Apache-2.0
"""From what the image says and what the host has to what will be executed.  Decides all, touches nothing."""

from __future__ import annotations

from urunc import guests, monitors
from urunc.errors import Unsupported
from urunc.machine import DISK, INITRD, KERNEL, App, Block, Facts, Initrd, LaunchPlan, Machine
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.guests import GuestModule
    from urunc.machine import Network, Root, UserNetwork
    from urunc.monitors import MonitorModule
    from urunc_common.config import UnikernelConfig

_MIB = 1 << 20


class Host(Record):
    """What the host gives: the machine's size and how it is run."""

    arch: str = "x86_64"
    memory_mib: int = 256
    vcpus: int = 1
    accel: str = "kvm"
    seccomp: bool = True
    tsc_khz: int = 0


def plan(
    config: UnikernelConfig,
    app: App,
    networks: tuple[Network | UserNetwork, ...],
    root: Root,
    *,
    host: Host,
) -> LaunchPlan:
    """The same arguments always give the same plan."""
    if not app.args:
        app = app.replace(args=tuple(config.cmdline.split()))
    monitor = monitors.load(config.hypervisor)
    facts = Facts(
        app,
        networks,
        _as_the_monitor_sees(root),
        monitor.OFFERS,
        version=config.version,
        solo5_net=config.solo5_net,
        solo5_block=config.solo5_block,
        arch=host.arch,
        # With KVM the guest asks the host's clock; only an emulated one has to be told the rate.
        tsc_khz=host.tsc_khz if host.accel == "tcg" else 0,
    )
    machine = Machine(
        KERNEL,
        guests.load(config.type).describe(facts),
        arch=host.arch,
        memory_mib=host.memory_mib,
        vcpus=host.vcpus,
        accel=host.accel,
        seccomp=host.seccomp,
    )
    return monitor.launch(machine)


def choose_root(config: UnikernelConfig, *, readonly: bool = False) -> Root:
    """What of the image becomes the guest's root file system, under its path in the image.

    A block image of format "qcow2" is to be given as an overlay over the image.
    """
    root = _wanted_root(config, readonly=readonly)
    if root and not isinstance(root, guests.load(config.type).ROOTS):
        kind = "an initrd" if isinstance(root, Initrd) else "a block image"
        raise Unsupported(
            f"a {config.type} unikernel cannot use {kind} as its root file system",
            hint="remove the annotation, or use another unikernelType",
        )
    return root


def guest_memory_mib(
    limit_bytes: int | None, default_mib: int, guest: GuestModule, monitor: MonitorModule, accel: str
) -> int:
    """The guest's share of the container's memory limit; the monitor needs some itself."""
    if limit_bytes is None or limit_bytes <= 0:
        return default_mib
    overhead = monitor.overhead_mib(accel)
    memory_mib = limit_bytes // _MIB - overhead
    if memory_mib < guest.MINIMUM_MIB:
        raise Unsupported(
            f"a memory limit of {limit_bytes // _MIB} MiB is too small for this unikernel and its monitor",
            hint=f"give it at least {guest.MINIMUM_MIB + overhead} MiB",
        )
    return memory_mib


def _wanted_root(config: UnikernelConfig, *, readonly: bool) -> Root:
    if config.initrd and config.block:
        raise Unsupported(
            "the image names an initrd and a block image, but a guest has one root file system",
            hint="keep one of the two annotations",
        )
    if config.initrd:
        return Initrd(config.initrd)
    if config.block:
        overlay = monitors.load(config.hypervisor).OVERLAYS and not readonly
        return Block(
            config.block,
            config.block_mount_point,
            readonly=readonly,
            format="qcow2" if overlay else "raw",
        )
    if config.mount_rootfs:
        raise Unsupported(
            "the container's own root cannot become the guest's root file system",
            hint="put an initrd or a block image into the image",
        )
    return None


def _as_the_monitor_sees(root: Root) -> Root:
    """No path of the image ever reaches a command line."""
    if isinstance(root, Initrd):
        return Initrd(INITRD)
    if isinstance(root, Block):
        return Block(DISK, root.mount_point, readonly=root.readonly, format=root.format)
    return root
