# SPDX-License-Identifier: Apache-2.0
"""From what the image says and what the host has to what will be executed.  Decides all, touches nothing."""

from __future__ import annotations

from urunc import guests, monitors
from urunc.machine import (
    DISK,
    EMULATED,
    EXTRA_DISK,
    INITRD,
    KERNEL,
    App,
    Block,
    Facts,
    Initrd,
    LaunchPlan,
    Machine,
    Streams,
)  # fmt: skip
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.machine import Network, Root, Share, UserNetwork, Volume
    from urunc.roots import Choice
    from urunc_common.config import UnikernelConfig
    from urunc_common.cpio import Entry


class Host(Record):
    """What the host gives: the machine's size and how it is run."""

    arch: str = "x86_64"
    memory_mib: int = 256
    vcpus: int = 1
    accel: str = "kvm"
    model: str = "auto"
    tight: bool = False
    vhost: bool = False
    seccomp: bool = True
    tsc_khz: int = 0
    control: int = -1
    """A listening socket for signals to the guest."""
    commands: int = -1
    """A listening socket for commands to the monitor."""


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
    app = app.replace(args=program(app.args, config))
    monitor = monitors.load(config.hypervisor)
    facts = Facts(
        app,
        networks,
        _as_the_monitor_sees(choice.root),
        choice.extra.replace(path=EXTRA_DISK) if choice.extra else None,
        volumes=given.volumes,
        copies=given.copies,
        shares=given.shares,
        init=given.init,
        boot_initrd=bool(choice.boot),
        offers=monitor.OFFERS if host.accel == "tcg" else monitor.OFFERS - EMULATED,
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
        model=host.model,
        tight=host.tight,
        vhost=host.vhost,
        seccomp=host.seccomp,
        streams=streams,
        control=host.control,
        commands=host.commands,
    )
    return monitor.launch(machine)


def program(args: tuple[str, ...], config: UnikernelConfig) -> tuple[str, ...]:
    """The container's words, else the image's."""
    return args or tuple(config.cmdline.split())


def _as_the_monitor_sees(root: Root) -> Root:
    """No path of the image ever reaches a command line."""
    if isinstance(root, Initrd):
        return Initrd(INITRD)
    if isinstance(root, Block):
        return root.replace(path=DISK)
    return root
