# SPDX-License-Identifier: Apache-2.0
"""What the first process of a Linux guest is told: /.urunc/config, whose reference is docs/guest.md."""

from __future__ import annotations

from urunc_common.cpio import File, archive
from urunc_common.errors import Error
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from urunc_common.cpio import Entry

# In the initramfs. INIT is what the kernel is to run: rdinit=/.urunc/init.
INIT = "/.urunc/init"
CONFIG = "/.urunc/config"
VOLUMES = "/.urunc/volumes"

# Names of virtio-serial ports. Input and output cannot share one: QEMU closes both ends of it at once.
STDIN_PORT = "org.urunc.stdin"
STDOUT_PORT = "org.urunc.stdout"
STDERR_PORT = "org.urunc.stderr"
CONTROL_PORT = "org.urunc.control"

# Kinds of roots and of mounts; the last two are kinds of mounts only.
BLOCK, VIRTIOFS, NINEP, COPY, TMPFS = "block", "virtiofs", "9p", "copy", "tmpfs"

# Where the program's three streams are.
CONSOLE, PORTS = "console", "ports"

# How the exit status gets out; the second one is followed by a port.
NONE, DEBUG_EXIT, SEMIHOSTING = "none", "debug-exit", "semihosting"


class Root(Record):
    """The program's root, where that is not the initramfs.

    The source of a block device is its virtio serial or its path in /dev, that of a share its tag.
    """

    kind: str
    source: str
    readonly: bool = False
    fstype: str = ""
    """Of a block device; empty: whatever it turns out to have."""


class Mount(Record):
    """Something at `target` of the program's root. The source of a copy is its path in the initramfs."""

    kind: str
    source: str
    target: str
    readonly: bool = False


class Route(Record):
    """A destination is an address with a prefix, or "default"; without a gateway it is on the link itself."""

    destination: str
    gateway: str = ""
    metric: int = 0


class Interface(Record):
    """The interface that has the address `mac` is given a name, addresses (with their prefix) and routes."""

    mac: str
    mtu: int
    name: str
    addresses: tuple[str, ...] = ()
    routes: tuple[Route, ...] = ()


class Rlimit(Record):
    """A limit, by its name (RLIMIT_NOFILE) or its number."""

    name: str
    soft: int
    hard: int


class GuestConfig(Record):
    """All that the first process does, in words of its own."""

    args: tuple[str, ...]
    env: tuple[str, ...] = ()
    cwd: str = "/"
    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    umask: int = 0o022
    rlimits: tuple[Rlimit, ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
    """(path below /proc/sys, value)"""
    hostname: str = ""
    domainname: str = ""
    root: Root | None = None
    mounts: tuple[Mount, ...] = ()
    """In this order; those of kind tmpfs have no source."""
    interfaces: tuple[Interface, ...] = ()
    stdio: str = CONSOLE
    terminal: tuple[int, int] | None = None
    """Rows and columns; None: the program gets no terminal."""
    control: str = ""
    """The port that signals come from; empty: none."""
    stop_signal: int = 15
    report: str = NONE
    """How the exit status gets out, such as "debug-exit 0x501"."""
    exec: bool = False
    """The program is an init itself and becomes process 1."""


def init_file(arch: str) -> str:
    """Where the program for an architecture is in our installation."""
    return f"{__file__.rpartition('/')[0]}/data/init-{arch}"


def initramfs(config: GuestConfig, init: bytes, volumes: Iterable[Entry] = ()) -> bytes:
    """The archive with which a guest boots; others may stand in front of it."""
    # The variables of the environment are nobody else's business.
    return archive([File(INIT, init, 0o755), File(CONFIG, render(config), 0o400), *volumes])


def render(config: GuestConfig) -> bytes:
    """The file's content."""
    return b"urunc 2\n" + b"".join(_record(key, value) for key, value in _records(config))


def render_program(config: GuestConfig) -> bytes:
    """Of that, only what is about the program."""
    return b"urunc 2\n" + b"".join(_record(key, value) for key, value in _process(config))


def _records(config: GuestConfig) -> Iterator[tuple[str, str]]:
    yield from _process(config)
    yield from (("sysctl", f"{path} {value}") for path, value in config.sysctls)
    for key, name in (("hostname", config.hostname), ("domainname", config.domainname)):
        if name:
            yield key, name
    if config.root:
        yield "root", _root(config.root)
    yield from map(_mount, config.mounts)
    for interface in config.interfaces:
        yield from _interface(interface)
    yield from _surroundings(config)


def _process(config: GuestConfig) -> Iterator[tuple[str, str]]:
    yield from (("arg", word) for word in config.args)
    yield from (("env", word) for word in config.env)
    yield from (("cwd", config.cwd), ("uid", str(config.uid)), ("gid", str(config.gid)))
    yield from (("group", str(number)) for number in config.groups)
    yield "umask", f"{config.umask:o}"
    yield from (("rlimit", f"{limit.name} {limit.soft} {limit.hard}") for limit in config.rlimits)


def _surroundings(config: GuestConfig) -> Iterator[tuple[str, str]]:
    yield "stdio", config.stdio
    if config.terminal:
        yield "terminal", "{} {}".format(*config.terminal)
    if config.control:
        yield "control", config.control
    yield "stopsignal", str(config.stop_signal)
    yield "report", config.report
    if config.exec:
        yield "exec", "1"


def _root(root: Root) -> str:
    return f"{root.kind} {_word(root.source)} {_access(root)} {root.fstype}".rstrip()


def _mount(mount: Mount) -> tuple[str, str]:
    if mount.kind == TMPFS:
        return TMPFS, mount.target
    return "mount", f"{mount.kind} {_word(mount.source)} {_access(mount)} {mount.target}"


def _access(place: Root | Mount) -> str:
    return "ro" if place.readonly else "rw"


def _interface(interface: Interface) -> Iterator[tuple[str, str]]:
    yield "interface", f"{interface.mac} {interface.mtu} {interface.name}"
    yield from (("address", address) for address in interface.addresses)
    for route in interface.routes:
        yield "route", f"{route.destination} {route.gateway or '-'} {route.metric}"


def _word(source: str) -> str:
    """A source is one word; the target behind it may have spaces."""
    if not source or source.split() != [source]:
        raise Error(f"a guest cannot mount from '{source}': it is not one word")
    return source


def _record(key: str, value: str) -> bytes:
    data = value.encode(errors="surrogateescape")
    if b"\0" in data:
        raise Error(f"a guest cannot be given a NUL byte, which its {key} has: {value!r}")
    return b"%s %d\n%s\n" % (key.encode(), len(data), data)
