# SPDX-License-Identifier: Apache-2.0
"""QEMU 7.2 or newer: full machines with a PCI bus, and microvm for guests that do not need one."""

from __future__ import annotations

from urunc.capabilities import FILE_SERVER
from urunc.machine import (
    DEBUG_EXIT,
    DEBUG_EXIT_PORT,
    DISK_NAMES,
    MODERN_VIRTIO,
    NINEP,
    NO_PCI,
    PANIC_EXIT,
    PC_TIMERS,
    PORTS,
    POWER_BUTTON,
    SEMIHOSTING,
    TERMINAL,
    VIRTIOFS,
    LaunchPlan,
    UserNetwork,
)
from urunc.monitors import binary, require
from urunc.monitors._qemu_console import console, descriptors
from urunc.monitors._qemu_devices import VHOST, devices

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.machine import Machine, Network

BINARY = {"x86_64": "qemu-system-x86_64", "aarch64": "qemu-system-aarch64"}
PACKAGE = {"x86_64": "qemu-system-x86", "aarch64": "qemu-system-arm"}
TAKES_TAP_FD = True
LARGEST_MTU = 65521
EMULATES = True
OVERLAYS = True
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
MODELS = ("microvm", "pc", "q35")
MOST_VCPUS = 255
OFFERS = frozenset(
    {
        DEBUG_EXIT,
        DISK_NAMES,
        MODERN_VIRTIO,
        NINEP,
        NO_PCI,
        PANIC_EXIT,
        PC_TIMERS,
        PORTS,
        POWER_BUTTON,
        SEMIHOSTING,
        TERMINAL,
        VIRTIOFS,
    }
)

# The cache of translated code; QEMU's own choice (a gigabyte) breaks every memory limit.
_TB_SIZE_MIB, _TIGHT_TB_SIZE_MIB = 32, 16
_OWN_MIB = 48
# Where a kernel that is told `reboot=k` writes to reset the machine.
_KEYBOARD_PORT = 0x64
# The guest may end the machine. It may not have the files of the host: a debugger is asked for those, and
# there is none.
_SEMIHOSTING = "enable=on,target=gdb,userspace=on"
_SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


def overhead_mib(accel: str, *, tight: bool) -> int:
    """Measured: under 48 without the cache."""
    return _OWN_MIB + (_cache_mib(tight=tight) if accel == "tcg" else 0)


def launch(machine: Machine) -> LaunchPlan:
    """The whole command line; nothing comes from QEMU's defaults or configuration files."""
    require(machine, "qemu", offers=OFFERS)
    guest = machine.guest
    model = _model(machine)
    bus = "device" if model == "microvm" else "pci"
    argv = [
        binary(BINARY, machine),
        "-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none", "-no-reboot",
        *_machine(machine, model), *_accel(machine), *_memory(machine), "-smp", str(machine.vcpus),
        *console(machine, bus), *_commands(machine),
        "-kernel", machine.kernel, "-append", guest.cmdline,
    ]  # fmt: skip
    if guest.initrd:
        argv += ["-initrd", guest.initrd]
    argv += devices(machine, bus)
    argv += _exits(machine, model)
    if machine.seccomp:
        argv += ["-sandbox", _SANDBOX]
    return LaunchPlan(
        tuple(argv),
        devices=_devices(machine),
        fds=(*_tap_descriptors(machine), *descriptors(machine), *_listeners(machine)),
        files=guest.files,
        shares=guest.shares,
        takes_commands=True,
        # On others it is a device of ACPI, which none of these guests has a driver for.
        power_button=POWER_BUTTON in guest.wishes and model in ("pc", "q35"),
        takes_signals=PORTS in guest.wishes,
        capabilities=_capabilities(machine),
    )


def _model(machine: Machine) -> str:
    """Measured with tcg: a small kernel ends after 32 ms on microvm, 37 to 64 on pc, 36 to 73 on q35; a Linux
    guest with microvm's own drivers is up first there, by a twentieth.
    """
    if machine.arch == "aarch64":
        return "virt"
    if machine.model in MODELS:
        return machine.model
    return "microvm" if NO_PCI in machine.guest.wishes else "pc"


def _machine(machine: Machine, model: str) -> list[str]:
    quirks = machine.guest.quirks
    if model == "microvm":
        # Without them FreeBSD does not come up; microvm's own choice depends on the accelerator.
        timers = ",acpi=on,pic=on,pit=on,rtc=on" if PC_TIMERS in quirks else ""
        return ["-machine", f"microvm{timers}", "-global", "virtio-mmio.force-legacy=false"]
    if model == "virt":
        return ["-machine", "virt"]
    options = ",i8042=off" if _has_reset_exit(machine, model) else ""
    return ["-machine", f"{model}{options}", *_firmware(machine)]


def _firmware(machine: Machine) -> list[str]:
    """qboot saves a small kernel half of its time, but leaves the addresses of PCI devices to the kernel."""
    guest = machine.guest
    if NO_PCI not in guest.wishes and (guest.nics or guest.disks or guest.shares or PORTS in guest.wishes):
        return []
    return ["-bios", "qboot.rom"]


def _has_reset_exit(machine: Machine, model: str) -> bool:
    """On pc, Linux looks for a keyboard controller even if told that there is none, and would end there."""
    return PANIC_EXIT in machine.guest.wishes and model in ("microvm", "q35")


def _panic(machine: Machine, model: str) -> list[str]:
    """A kernel with the driver says that it panics; one without resets the machine, and that is seen."""
    if PANIC_EXIT not in machine.guest.wishes or machine.arch != "x86_64":
        return []
    argv = ["-device", "pvpanic", "-action", "panic=exit-failure"]
    if _has_reset_exit(machine, model):
        argv += ["-device", f"isa-debug-exit,iobase={_KEYBOARD_PORT:#x},iosize=1"]
    return argv


def _listeners(machine: Machine) -> tuple[int, ...]:
    return (machine.commands,) if machine.commands >= 0 else ()


def _commands(machine: Machine) -> list[str]:
    if machine.commands < 0:
        return []
    chardev = f"socket,id=commands,fd={machine.commands},server=on,wait=off"
    return ["-chardev", chardev, "-mon", "chardev=commands,mode=control"]


def _exits(machine: Machine, model: str) -> list[str]:
    argv = []
    if DEBUG_EXIT in machine.guest.wishes and machine.arch == "x86_64":
        argv += ["-device", f"isa-debug-exit,iobase={DEBUG_EXIT_PORT:#x},iosize=2"]
    if SEMIHOSTING in machine.guest.wishes and model == "virt" and machine.accel == "tcg":
        argv += ["-semihosting-config", _SEMIHOSTING]
    return [*argv, *_panic(machine, model)]


def _accel(machine: Machine) -> list[str]:
    if machine.accel == "kvm":
        return ["-accel", "kvm", "-cpu", "host"]
    # The default model lacks instructions that current programs are compiled for.
    return ["-accel", f"tcg,tb-size={_cache_mib(tight=machine.tight)}", "-cpu", "max"]


def _cache_mib(*, tight: bool) -> int:
    return _TIGHT_TB_SIZE_MIB if tight else _TB_SIZE_MIB


def _memory(machine: Machine) -> list[str]:
    """virtiofsd reads and writes the guest's memory itself, so it must be a file."""
    size = f"{machine.memory_mib}M"
    if not any(share.kind == VIRTIOFS for share in machine.guest.shares):
        return ["-m", size]
    backend = f"memory-backend-memfd,id=memory,size={size},share=on"
    return ["-m", size, "-object", backend, "-machine", "memory-backend=memory"]


def _devices(machine: Machine) -> tuple[str, ...]:
    taps = _taps(machine)
    wanted = {
        "/dev/kvm": machine.accel == "kvm",
        "/dev/net/tun": any(net.fd < 0 for net in taps),
        VHOST: machine.vhost,
    }
    return tuple(path for path, needed in wanted.items() if needed)


def _tap_descriptors(machine: Machine) -> tuple[int, ...]:
    return tuple(net.fd for net in _taps(machine) if net.fd >= 0)


def _taps(machine: Machine) -> list[Network]:
    networks = [nic.network for nic in machine.guest.nics]
    return [network for network in networks if not isinstance(network, UserNetwork)]


def _capabilities(machine: Machine) -> tuple[str, ...]:
    """By 9p it works on files itself, on behalf of the guest's users."""
    return FILE_SERVER if any(share.kind == NINEP for share in machine.guest.shares) else ()
