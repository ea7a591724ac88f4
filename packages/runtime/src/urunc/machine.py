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

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc_common.cpio import Entry

# Where the monitor finds the files of the image, whatever their names are inside it.
KERNEL = "/kernel"
INITRD = "/initrd"
DISK, EXTRA_DISK = "/disk0", "/disk1"
SHARE = "/share"
VOLUMES = "/volumes"


class Address(Record):
    """An IP address, of either version."""

    address: str
    prefix: int


class Route(Record):
    """Where packets go; no gateway: an empty string, for a neighbour."""

    destination: str
    """In CIDR notation; `default` of the gateway's version."""
    gateway: str = ""
    metric: int = 0


class Network(Record):
    """One interface of the container, as found in its namespace; the guest takes it over.

    `address`, `prefix` and `gateway` are of IPv4, empty and 0 where it has none.
    """

    tap: str
    mac: str
    address: str
    prefix: int
    gateway: str
    mtu: int
    fd: int = -1
    """An open descriptor of the tap; -1: attach it by its name."""
    name: str = "eth0"
    more: tuple[Address, ...] = ()
    """Further addresses, those of IPv6 among them."""
    routes: tuple[Route, ...] = ()
    """All but the subnets' own and the default route through `gateway`."""


class UserNetwork(Record):
    """QEMU's own user-mode network, with the addresses that it hands out."""

    forwards: tuple[tuple[str, int, int], ...] = ()
    """(protocol, host port, guest port)"""

    mac = "52:54:00:12:34:56"
    name = "eth0"
    mtu = 1500
    more = ()
    routes = ()
    address = "10.0.2.15"
    prefix = 24
    gateway = "10.0.2.2"
    nameserver = "10.0.2.3"


class Initrd(Record):
    """The root file system is an archive, unpacked by the guest."""

    path: str


class Block(Record):
    """The root file system is an image of a block device."""

    path: str
    mount_point: str = "/"
    readonly: bool = False
    format: str = "raw"


VIRTIOFS, NINEP = "virtiofs", "9p"


class Share(Record):
    """A directory of the host that the guest sees under a tag; as a root, all of the container's."""

    tag: str
    path: str = SHARE
    kind: str = VIRTIOFS
    readonly: bool = False

    @property
    def socket(self) -> str:
        """Where virtiofsd serves it."""
        return f"{self.path}.sock"


Root = Initrd | Block | Share | None


# What a file is that becomes a root: an archive as it stands, one to be unpacked first, a disk.
NEWC, COMPRESSED, EXT = "newc", "compressed", "ext"

COPY, WITHIN, PLACED = "copy", "within", "placed"


class Volume(Record):
    """A file or directory of the host, as the guest gets it."""

    kind: str
    """VIRTIOFS or NINEP: below a share; COPY: in the initrd; WITHIN: it is in the root already; PLACED: its
    copy is put into the root at `source`.
    """
    source: str
    """TAG/NAME of a share, or the path in the initrd."""
    target: str
    readonly: bool = False


class ContainerRoot(Record):
    """In which shapes a guest can have the container's own root as its root file system."""

    filesystems: tuple[str, ...] = ()
    """Those of block devices that it mounts."""
    shares: tuple[str, ...] = ()
    packed: str = ""
    """The format that it can be packed into: cpio, ext2, ext4 or none."""
    mount_point: str = "/"


class App(Record):
    """The program the user asked for, and how it is to be run."""

    args: tuple[str, ...]
    env: tuple[str, ...] = ()
    cwd: str = "/"
    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    umask: int | None = None
    rlimits: tuple[tuple[str, int, int], ...] = ()
    """(name as in `RLIMIT_NOFILE`, soft, hard)"""
    sysctls: tuple[tuple[str, str], ...] = ()
    """(path below /proc/sys, value)"""
    hostname: str = ""
    domainname: str = ""
    nameservers: tuple[str, ...] = ()
    terminal: tuple[int, int] | None = None
    """(rows, columns) of the terminal that it wants, 0 where unknown."""


class Facts(Record):
    """All that a guest may base its answer on."""

    app: App
    networks: tuple[Network | UserNetwork, ...] = ()
    root: Root = None
    extra: Block | None = None
    """A further disk of the image."""
    volumes: tuple[Volume, ...] = ()
    copies: tuple[Entry, ...] = ()
    """The content of the volumes that are copies."""
    shares: tuple[Share, ...] = ()
    init: bytes = b""
    """Our first process, for guests that boot from an initrd."""
    boot_initrd: bool = False
    """There is an initrd that boots the guest, and is not its root."""
    offers: frozenset[str] = frozenset()
    """The quirks and wishes that the monitor can provide."""
    version: str = ""
    solo5_net: str = ""
    solo5_block: str = ""
    arch: str = "x86_64"
    tsc_khz: int = 0
    """The clock rate, where the guest cannot measure it reliably; 0 elsewhere."""

    @property
    def network(self) -> Network | UserNetwork | None:
        """The one interface of a guest that takes no more."""
        return self.networks[0] if self.networks else None


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
PC_TIMERS = "the interrupt controller, timer and clock of a PC"

# Wishes: what some guests can make use of; a monitor that has no such thing leaves it out.
DEBUG_EXIT_PORT = 0x501
DEBUG_EXIT = "an isa-debug-exit device, for an exit status"
NO_PCI = "a machine without a PCI bus, which boots faster"
DISK_NAMES = "disks that the guest finds by their names"
RESET_ENDS = "a machine that a reset ends, and nothing else"
PANIC_EXIT = "an exit status for a kernel that panics, by pvpanic or a reset through the keyboard controller"
SEMIHOSTING = "a semihosting call, for an exit status"
PORTS = "virtio-serial ports for standard streams and signals"
POWER_BUTTON = "a power button, by which it is asked to shut down"
TERMINAL = "a virtio console for the container's terminal, in place of the ports for its streams"


# What only an emulated processor can do.
EMULATED = frozenset({SEMIHOSTING})


class File(Record):
    """A file that is made for the monitor; what the image has under this name comes before `content`."""

    path: str
    content: bytes
    covers: tuple[str, ...] = ()
    """Paths within an archive: `content` goes on with it, and has something else there."""


class Guest(Record):
    """What a unikernel asks of its machine."""

    cmdline: str
    initrd: str = ""
    disks: tuple[Disk, ...] = ()
    nics: tuple[Nic, ...] = ()
    shares: tuple[Share, ...] = ()
    files: tuple[File, ...] = ()
    quirks: frozenset[str] = frozenset()
    wishes: frozenset[str] = frozenset()


class Streams(Record):
    """What the container writes to: descriptors above 2, open for writing only unless they are sockets."""

    stdout: int = -1
    stderr: int = -1
    sockets: frozenset[int] = frozenset()

    @property
    def open(self) -> tuple[int, ...]:
        return tuple(sorted({fd for fd in (self.stdout, self.stderr) if fd >= 0}))


class Machine(Record):
    """A virtual machine, described without naming a monitor."""

    kernel: str
    guest: Guest
    arch: str = "x86_64"
    memory_mib: int = 256
    vcpus: int = 1
    accel: str = "kvm"
    model: str = "auto"
    """The kind of machine, where the monitor has several."""
    tight: bool = False
    """There is little memory besides the guest's."""
    vhost: bool = False
    """The host's kernel moves the packets."""
    seccomp: bool = True
    streams: Streams = Streams()
    control: int = -1
    """A listening Unix socket: whoever connects talks to the guest's CONTROL port."""
    commands: int = -1
    """A listening Unix socket: whoever connects gives commands to the monitor."""
    debug_console: int = -1
    """A descriptor for all that the guest's kernel says; without it that goes where errors go."""


class LaunchPlan(Record):
    """Everything the shell needs to start the monitor.  argv[0] is looked up in PATH."""

    argv: tuple[str, ...]
    devices: tuple[str, ...] = ()
    fds: tuple[int, ...] = ()
    """Descriptors that the monitor inherits; all others are closed."""
    files: tuple[File, ...] = ()
    """Which there are must not depend on the network, as their content may."""
    shares: tuple[Share, ...] = ()
    takes_commands: bool = False
    """It can be told things while it runs."""
    power_button: bool = False
    """By a command, its guest can be asked to shut down."""
    takes_signals: bool = False
    """There is a way for signals to the program in the guest."""
    capabilities: tuple[str, ...] = ()
    """Those of root that it needs, as far as the container may have them."""
    stop_signal: int = 15
    """What ends the monitor at once."""
