# SPDX-License-Identifier: Apache-2.0
"""QEMU 7.2 or newer: full machines with a PCI bus, and microvm for guests that do not need one."""

from __future__ import annotations

from urunc.capabilities import FILE_SERVER
from urunc.machine import (
    DEBUG_EXIT,
    DEBUG_EXIT_PORT,
    MODERN_VIRTIO,
    NINEP,
    NO_PCI,
    PC_TIMERS,
    PORTS,
    TERMINAL,
    VIRTIOFS,
    LaunchPlan,
    UserNetwork,
)
from urunc.monitors import binary, require
from urunc.monitors._qemu_console import console, descriptors
from urunc.monitors._qemu_devices import devices

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.machine import Machine, Network

BINARY = {"x86_64": "qemu-system-x86_64", "aarch64": "qemu-system-aarch64"}
PACKAGE = {"x86_64": "qemu-system-x86", "aarch64": "qemu-system-arm"}
TAKES_TAP_FD = True
LARGEST_MTU = 65521
EMULATES = True
OVERLAYS = True
OFFERS = frozenset({MODERN_VIRTIO, PC_TIMERS, DEBUG_EXIT, NO_PCI, PORTS, TERMINAL, VIRTIOFS, NINEP})
# Measured with 7.2 and tcg, with a terminal, a tap and disks: it ended or hung when one of these was refused.
# Not clone3, to which profiles answer ENOSYS on purpose: libc does without.
NEEDED = (
    "access", "arch_prctl", "clone", "close", "eventfd2", "execve", "exit_group", "fcntl", "futex",
    "ioctl", "lseek", "mmap", "mprotect", "newfstatat", "openat", "ppoll", "prctl", "pread64",
    "prlimit64", "read", "readv", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "seccomp",
    "write", "writev",
)  # fmt: skip
# It has a sandbox of its own.
ALLOWED = ()

# The cache of translated code; QEMU's own choice (a gigabyte) breaks every memory limit.
_TB_SIZE_MIB = 32
_OWN_MIB = 48
_SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


def overhead_mib(accel: str) -> int:
    """Measured: under 48 without the cache."""
    return _OWN_MIB + (_TB_SIZE_MIB if accel == "tcg" else 0)


def launch(machine: Machine) -> LaunchPlan:
    """The whole command line; nothing comes from QEMU's defaults or configuration files."""
    require(machine, "qemu", offers=OFFERS)
    guest = machine.guest
    bus = "device" if NO_PCI in guest.wishes else "pci"
    argv = [
        binary(BINARY, machine),
        "-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none", "-no-reboot",
        *_machine(machine, bus), *_accel(machine.accel), *_memory(machine), "-smp", str(machine.vcpus),
        *console(machine, bus),
        "-kernel", machine.kernel, "-append", guest.cmdline,
    ]  # fmt: skip
    if guest.initrd:
        argv += ["-initrd", guest.initrd]
    argv += devices(machine, bus)
    if DEBUG_EXIT in guest.wishes and machine.arch == "x86_64":
        argv += ["-device", f"isa-debug-exit,iobase={DEBUG_EXIT_PORT:#x},iosize=2"]
    if machine.seccomp:
        argv += ["-sandbox", _SANDBOX]
    return LaunchPlan(
        tuple(argv),
        devices=_devices(machine),
        fds=(*_tap_descriptors(machine), *descriptors(machine)),
        files=guest.files,
        shares=guest.shares,
        takes_signals=PORTS in guest.wishes,
        capabilities=_capabilities(machine),
    )


def _machine(machine: Machine, bus: str) -> list[str]:
    if machine.arch == "aarch64":
        return ["-machine", "virt"]
    if bus == "pci":
        # Measured: starts in three quarters of the time that q35 takes.
        return ["-machine", "pc"]
    # Without them FreeBSD does not come up; microvm's own choice depends on the accelerator.
    timers = ",acpi=on,pic=on,pit=on,rtc=on" if PC_TIMERS in machine.guest.quirks else ""
    return ["-machine", f"microvm{timers}", "-global", "virtio-mmio.force-legacy=false"]


def _accel(accel: str) -> list[str]:
    if accel == "kvm":
        return ["-accel", "kvm", "-cpu", "host"]
    # The default model lacks instructions that current programs are compiled for.
    return ["-accel", f"tcg,tb-size={_TB_SIZE_MIB}", "-cpu", "max"]


def _memory(machine: Machine) -> list[str]:
    """virtiofsd reads and writes the guest's memory itself, so it must be a file."""
    size = f"{machine.memory_mib}M"
    if not any(share.kind == VIRTIOFS for share in machine.guest.shares):
        return ["-m", size]
    backend = f"memory-backend-memfd,id=memory,size={size},share=on"
    return ["-m", size, "-object", backend, "-machine", "memory-backend=memory"]


def _devices(machine: Machine) -> tuple[str, ...]:
    kvm = ("/dev/kvm",) if machine.accel == "kvm" else ()
    return (*kvm, "/dev/net/tun") if any(net.fd < 0 for net in _taps(machine)) else kvm


def _tap_descriptors(machine: Machine) -> tuple[int, ...]:
    return tuple(net.fd for net in _taps(machine) if net.fd >= 0)


def _taps(machine: Machine) -> list[Network]:
    networks = [nic.network for nic in machine.guest.nics]
    return [network for network in networks if not isinstance(network, UserNetwork)]


def _capabilities(machine: Machine) -> tuple[str, ...]:
    """By 9p it works on files itself, on behalf of the guest's users."""
    return FILE_SERVER if any(share.kind == NINEP for share in machine.guest.shares) else ()
