# SPDX-License-Identifier: Apache-2.0
"""The vocabulary of the planner: plain values, no behaviour, no I/O.

Network, Root   what the host has                (found by urunc.host)
Facts           all that a guest may look at     (put together by urunc.plan)
Guest           what the unikernel asks for      (answered by urunc.guests)
Machine         what the monitor must provide    (put together by urunc.plan)
LaunchPlan      what will be executed            (answered by urunc.monitors)
"""

from __future__ import annotations

from urunc_common.record import Record

# Where the monitor finds the files of the image, whatever their names are inside it.
KERNEL = "/kernel"
INITRD = "/initrd"
DISK = "/disk0"


class Network(Record):
    """The container's network, as found in its namespace; the guest takes it over."""

    tap: str
    mac: str
    address: str
    prefix: int
    gateway: str
    mtu: int
    fd: int = -1
    """An open descriptor of the tap; -1: attach it by its name."""


class UserNetwork(Record):
    """QEMU's own user-mode network, with the addresses that it hands out."""

    forwards: tuple[tuple[str, int, int], ...] = ()
    """(protocol, host port, guest port)"""

    mac = "52:54:00:12:34:56"
    address = "10.0.2.15"
    prefix = 24
    gateway = "10.0.2.2"


class Initrd(Record):
    """The root file system is an archive, unpacked by the guest."""

    path: str


class Block(Record):
    """The root file system is an image of a block device."""

    path: str
    mount_point: str = "/"
    readonly: bool = False
    format: str = "raw"


Root = Initrd | Block | None


class App(Record):
    """The program the user asked for."""

    args: tuple[str, ...]
    env: tuple[str, ...] = ()


class Facts(Record):
    """All that a guest may base its answer on."""

    app: App
    network: Network | UserNetwork | None = None
    root: Root = None
    version: str = ""
    solo5_net: str = ""
    solo5_block: str = ""
    arch: str = "x86_64"
    tsc_khz: int = 0
    """The clock rate, where the guest cannot measure it reliably; 0 elsewhere."""


class Disk(Record):
    """A block device, under the name the guest knows it by."""

    name: str
    path: str
    readonly: bool = False
    format: str = "raw"


class Nic(Record):
    """A network device, under the name the guest knows it by."""

    name: str
    network: Network | UserNetwork


# Quirks: needs of some guests; a monitor that cannot meet one refuses the guest.
MODERN_VIRTIO = "virtio 1.x without the legacy interface"

# Wishes: what some guests can make use of; a monitor that has no such thing leaves it out.
DEBUG_EXIT = "an isa-debug-exit device, for an exit status"
NO_PCI = "a machine without a PCI bus, which boots faster"


class Guest(Record):
    """What a unikernel asks of its machine."""

    cmdline: str
    initrd: str = ""
    disks: tuple[Disk, ...] = ()
    nics: tuple[Nic, ...] = ()
    quirks: frozenset[str] = frozenset()
    wishes: frozenset[str] = frozenset()


class Machine(Record):
    """A virtual machine, described without naming a monitor."""

    kernel: str
    guest: Guest
    arch: str = "x86_64"
    memory_mib: int = 256
    vcpus: int = 1
    accel: str = "kvm"
    seccomp: bool = True


class LaunchPlan(Record):
    """Everything the shell needs to start the monitor.  argv[0] is looked up in PATH."""

    argv: tuple[str, ...]
    devices: tuple[str, ...] = ()
    fds: tuple[int, ...] = ()
    """Descriptors that the monitor inherits; all others are closed."""
    stop_signal: int = 15
    """What ends the monitor at once."""
