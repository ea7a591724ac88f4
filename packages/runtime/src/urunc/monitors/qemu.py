# SPDX-License-Identifier: Apache-2.0
"""QEMU 7.2 or newer: full machines with a PCI bus, and microvm for guests that do not need one."""

from __future__ import annotations

from urunc.capabilities import FILE_SERVER
from urunc.machine import DEBUG_EXIT, MODERN_VIRTIO, NINEP, NO_PCI, LaunchPlan, UserNetwork
from urunc.monitors import binary, require

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.machine import Disk, Machine, Network, Nic

BINARY = {"x86_64": "qemu-system-x86_64", "aarch64": "qemu-system-aarch64"}
PACKAGE = {"x86_64": "qemu-system-x86", "aarch64": "qemu-system-arm"}
TAKES_TAP_FD = True
EMULATES = True
OVERLAYS = True
OFFERS = frozenset({MODERN_VIRTIO, DEBUG_EXIT, NO_PCI})

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
    argv = [
        binary(BINARY, machine),
        "-nodefaults", "-no-user-config", "-display", "none", "-monitor", "none", "-no-reboot",
        # The console's Ctrl-C goes to the guest.
        "-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console",
        *_machine(machine), *_accel(machine.accel),
        "-m", f"{machine.memory_mib}M", "-smp", str(machine.vcpus),
        "-kernel", machine.kernel, "-append", guest.cmdline,
    ]  # fmt: skip
    if guest.initrd:
        argv += ["-initrd", guest.initrd]
    for index, nic in enumerate(guest.nics):
        argv += _nic(machine, f"net{index}", nic)
    for index, disk in enumerate(guest.disks):
        argv += _disk(machine, f"disk{index}", disk)
    if DEBUG_EXIT in guest.wishes and machine.arch == "x86_64":
        argv += ["-device", "isa-debug-exit,iobase=0x501,iosize=2"]
    if machine.seccomp:
        argv += ["-sandbox", _SANDBOX]
    return LaunchPlan(
        tuple(argv),
        devices=_devices(machine),
        fds=_fds(machine),
        files=guest.files,
        shares=guest.shares,
        capabilities=_capabilities(machine),
    )


def _machine(machine: Machine) -> list[str]:
    if machine.arch == "aarch64":
        return ["-machine", "virt"]
    if _has_pci(machine):
        # Measured: starts in three quarters of the time that q35 takes.
        return ["-machine", "pc"]
    return ["-machine", "microvm", "-global", "virtio-mmio.force-legacy=false"]


def _accel(accel: str) -> list[str]:
    if accel == "kvm":
        return ["-accel", "kvm", "-cpu", "host"]
    # The default model lacks instructions that current programs are compiled for.
    return ["-accel", f"tcg,tb-size={_TB_SIZE_MIB}", "-cpu", "max"]


def _nic(machine: Machine, name: str, nic: Nic) -> list[str]:
    device = f"{_virtio(machine, 'net')},netdev={name},mac={nic.network.mac}"
    if _has_pci(machine):
        # No firmware for booting from the network.
        device += ",romfile="
    if isinstance(nic.network, UserNetwork):
        return ["-netdev", _user(name, nic.network), "-device", device]
    return ["-netdev", _tap(name, nic.network), "-device", f"{device},host_mtu={nic.network.mtu}"]


def _tap(name: str, network: Network) -> str:
    if network.fd >= 0:
        return f"tap,id={name},fd={network.fd}"
    return f"tap,id={name},ifname={_escape(network.tap)},script=no,downscript=no"


def _user(name: str, network: UserNetwork) -> str:
    forwards = [f"hostfwd={protocol}::{host}-:{guest}" for protocol, host, guest in network.forwards]
    return ",".join([f"user,id={name}", *forwards])


def _disk(machine: Machine, name: str, disk: Disk) -> list[str]:
    readonly = ",readonly=on" if disk.readonly else ""
    return [
        "-drive", f"if=none,id={name},file={_escape(disk.path)},format={disk.format}{readonly}",
        "-device", f"{_virtio(machine, 'blk')},drive={name},serial={disk.name}",
    ]  # fmt: skip


def _virtio(machine: Machine, kind: str) -> str:
    if not _has_pci(machine):
        return f"virtio-{kind}-device"
    modern = ",disable-legacy=on,disable-modern=off" if MODERN_VIRTIO in machine.guest.quirks else ""
    return f"virtio-{kind}-pci{modern}"


def _has_pci(machine: Machine) -> bool:
    return NO_PCI not in machine.guest.wishes


def _devices(machine: Machine) -> tuple[str, ...]:
    kvm = ("/dev/kvm",) if machine.accel == "kvm" else ()
    return (*kvm, "/dev/net/tun") if any(net.fd < 0 for net in _taps(machine)) else kvm


def _fds(machine: Machine) -> tuple[int, ...]:
    return tuple(net.fd for net in _taps(machine) if net.fd >= 0)


def _taps(machine: Machine) -> list[Network]:
    networks = [nic.network for nic in machine.guest.nics]
    return [network for network in networks if not isinstance(network, UserNetwork)]


def _escape(value: str) -> str:
    """QEMU splits option values at commas; a doubled comma is a literal one."""
    return value.replace(",", ",,")


def _capabilities(machine: Machine) -> tuple[str, ...]:
    """By 9p it works on files itself, on behalf of the guest's users."""
    return FILE_SERVER if any(share.kind == NINEP for share in machine.guest.shares) else ()
