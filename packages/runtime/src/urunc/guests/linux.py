# SPDX-License-Identifier: Apache-2.0
"""Linux: the kernel starts our own first process, which finds in a file what the container is to be.

That file and the first process come behind the image's initrd, if it has one.  So neither the length of the
kernel's command line nor its quoting limits what a program can be given.  Images for urunit keep their way.
"""

from __future__ import annotations

from urunc.errors import Unsupported
from urunc.guests import _urunit
from urunc.machine import (
    COMPRESSED,
    DEBUG_EXIT,
    DEBUG_EXIT_PORT,
    DISK_NAMES,
    EXT,
    INITRD,
    NEWC,
    NINEP,
    NO_PCI,
    PANIC_EXIT,
    PLACED,
    PORTS,
    RESET_ENDS,
    SEMIHOSTING,
    TERMINAL,
    VIRTIOFS,
    WITHIN,
    Block,
    ContainerRoot,
    Disk,
    File,
    Guest,
    Initrd,
    Nic,
    Share,
)  # fmt: skip
from urunc_common import guest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.machine import Facts, Network, UserNetwork

MINIMUM_MIB = 64
ROOTS = (Initrd, Block, Share)
CONTAINER = ContainerRoot(filesystems=("ext2", "ext3", "ext4"), shares=(VIRTIOFS, NINEP), packed="ext4")
PLACES = (NEWC, COMPRESSED, EXT)
BOOTS_FROM_INITRD = True
NICS = 8

# The names of disks, as urunit knows them, too; where there are none, their order counts.
_DISK, _EXTRA = "rootfs", _urunit.EXTRA
# Programs that want to be process 1 themselves.
_INITS = frozenset({"init", "systemd"})


def describe(facts: Facts) -> Guest:
    """The kernel's own words, and everything else in the file."""
    if not facts.app.args:
        raise Unsupported("a linux unikernel needs a program to start", hint="give the image a CMD")
    if _urunit.is_first(facts.app.args):
        return _guest(facts, _urunit.cmdline(facts, _kernel_words(facts)), _urunit.initrd(facts))
    # Where the program's output has a way of its own, the console is left to a dying kernel, silent at 0.
    silent = ["loglevel=1"] if PORTS in facts.offers else []
    words = [*_kernel_words(facts), *silent, *_reset(facts), f"rdinit={guest.INIT}"]
    initrd = guest.initramfs(_config(facts), facts.init, facts.copies)
    streams = {PORTS, TERMINAL} if facts.app.terminal else {PORTS}
    return _guest(facts, " ".join(words), initrd, DEBUG_EXIT, SEMIHOSTING, PANIC_EXIT, *streams)


def _reset(facts: Facts) -> list[str]:
    """A panic resets the machine: by the keyboard controller, where that is what ends the monitor."""
    watched = facts.offers & {PANIC_EXIT, RESET_ENDS} and facts.arch == "x86_64"
    return ["reboot=k"] if watched else []


def _guest(facts: Facts, cmdline: str, initrd: bytes, *wishes: str) -> Guest:
    return Guest(
        cmdline=cmdline,
        initrd=INITRD,
        disks=_disks(facts),
        nics=tuple(Nic(f"net{index}", network) for index, network in enumerate(facts.networks)),
        shares=facts.shares,
        files=(File(INITRD, initrd),),
        wishes=frozenset({NO_PCI, *wishes}),
    )


def _disks(facts: Facts) -> tuple[Disk, ...]:
    found = ((_DISK, facts.root), (_EXTRA, facts.extra))
    return tuple(
        Disk(name, block.path, block.readonly, block.format)
        for name, block in found
        if isinstance(block, Block)
    )


def _source(name: str, facts: Facts) -> str:
    """How the guest finds a disk."""
    order = [disk.name for disk in _disks(facts)].index(name)
    return name if DISK_NAMES in facts.offers else f"/dev/vd{'ab'[order]}"


def _kernel_words(facts: Facts) -> list[str]:
    """Errors of the kernel still show on its console; its chatter does not."""
    words = [
        "panic=-1",
        f"console={'ttyAMA0' if facts.arch == 'aarch64' else 'ttyS0'}",
        "quiet",
        "cryptomgr.notests",
    ]
    if facts.tsc_khz and facts.arch == "x86_64":
        # An emulated timer is too unsteady to measure the clock against: some boots would hang.
        words.append(f"tsc_early_khz={facts.tsc_khz}")
    return words


def _config(facts: Facts) -> guest.GuestConfig:
    app = facts.app
    return guest.GuestConfig(
        args=app.args,
        env=app.env,
        cwd=app.cwd,
        uid=app.uid,
        gid=app.gid,
        groups=app.groups,
        umask=0o022 if app.umask is None else app.umask,
        rlimits=tuple(guest.Rlimit(*limit) for limit in app.rlimits),
        sysctls=app.sysctls,
        hostname=app.hostname or "urunc",
        domainname=app.domainname,
        root=_root(facts),
        mounts=_mounts(facts),
        interfaces=tuple(map(_interface, facts.networks)),
        stdio=guest.PORTS if PORTS in facts.offers else guest.CONSOLE,
        terminal=app.terminal,
        control=guest.CONTROL_PORT if PORTS in facts.offers else "",
        report=_report(facts),
        exec=app.args[0].rpartition("/")[2] in _INITS,
    )


def _mounts(facts: Facts) -> tuple[guest.Mount, ...]:
    """Volumes may lie on the further disk."""
    disk = [facts.extra] if facts.extra else []
    volumes = [one for one in facts.volumes if one.kind not in (WITHIN, PLACED)]
    return (
        *(guest.Mount(guest.BLOCK, _source(_EXTRA, facts), one.mount_point, one.readonly) for one in disk),
        *(guest.Mount(one.kind, one.source, one.target, one.readonly) for one in volumes),
    )


def _report(facts: Facts) -> str:
    """How the program's status gets out."""
    if RESET_ENDS in facts.offers:
        return "reset"
    if facts.arch == "aarch64":
        return guest.SEMIHOSTING if SEMIHOSTING in facts.offers else guest.NONE
    return f"{guest.DEBUG_EXIT} {DEBUG_EXIT_PORT:#x}" if DEBUG_EXIT in facts.offers else guest.NONE


def _root(facts: Facts) -> guest.Root | None:
    root = facts.root
    if isinstance(root, Block):
        return guest.Root(guest.BLOCK, _source(_DISK, facts), root.readonly)
    if isinstance(root, Share):
        return guest.Root(root.kind, root.tag, root.readonly)
    return None


def _interface(network: Network | UserNetwork) -> guest.Interface:
    own = [f"{network.address}/{network.prefix}"] if network.address else []
    default = [guest.Route("default", network.gateway)] if network.gateway else []
    return guest.Interface(
        network.mac,
        network.mtu,
        network.name,
        (*own, *(f"{more.address}/{more.prefix}" for more in network.more)),
        (
            *default,
            *(guest.Route(route.destination, route.gateway, route.metric) for route in network.routes),
        ),
    )
