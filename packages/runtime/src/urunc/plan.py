# SPDX-License-Identifier: Apache-2.0
"""From what the image says and what the host has to what will be executed.  Decides all, touches nothing."""

from __future__ import annotations

from urunc import guests, monitors
from urunc.errors import Unsupported
from urunc.machine import DISK, INITRD, KERNEL, App, Block, Facts, Initrd, LaunchPlan, Machine, Streams
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.guests import GuestModule
    from urunc.machine import Network, Root, Share, UserNetwork, Volume
    from urunc.monitors import MonitorModule
    from urunc.roots import Choice
    from urunc_common.config import UnikernelConfig
    from urunc_common.cpio import Entry

_MIB = 1 << 20


class Host(Record):
    """What the host gives: the machine's size and how it is run."""

    arch: str = "x86_64"
    memory_mib: int = 256
    vcpus: int = 1
    accel: str = "kvm"
    seccomp: bool = True
    tsc_khz: int = 0
    control: int = -1
    """A listening socket for signals to the guest."""


class Given(Record):
    """What else of the host the guest gets."""

    volumes: tuple[Volume, ...] = ()
    copies: tuple[Entry, ...] = ()
    shares: tuple[Share, ...] = ()
    init: bytes = b""


def plan(
    config: UnikernelConfig,
    app: App,
    networks: tuple[Network | UserNetwork, ...],
    choice: Choice,
    *,
    host: Host,
    given: Given = Given(),  # noqa: B008  it cannot change
    streams: Streams = Streams(),  # noqa: B008
) -> LaunchPlan:
    """The same arguments always give the same plan."""
    if not app.args:
        app = app.replace(args=tuple(config.cmdline.split()))
    monitor = monitors.load(config.hypervisor)
    facts = Facts(
        app,
        networks,
        _as_the_monitor_sees(choice.root),
        volumes=given.volumes,
        copies=given.copies,
        shares=given.shares,
        init=given.init,
        boot_initrd=bool(choice.boot),
        offers=monitor.OFFERS,
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
        streams=streams,
        control=host.control,
    )
    return monitor.launch(machine)


def effective_limit(limit_bytes: int | None, host_bytes: int) -> int | None:
    """A limit that the host has not got limits nothing: engines write such a number for "unlimited"."""
    return limit_bytes if limit_bytes is not None and limit_bytes < host_bytes else None


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


def _as_the_monitor_sees(root: Root) -> Root:
    """No path of the image ever reaches a command line."""
    if isinstance(root, Initrd):
        return Initrd(INITRD)
    if isinstance(root, Block):
        return Block(DISK, root.mount_point, readonly=root.readonly, format=root.format)
    return root
