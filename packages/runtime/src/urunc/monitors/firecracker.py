# SPDX-License-Identifier: Apache-2.0
"""Firecracker: the machine in a JSON file, no API socket.

Fields and options as in Firecracker 1.16 (src/vmm/src/resources.rs, vmm_config, src/firecracker/src/main.rs),
and no more than 1.7 already knows, which refuses unknown ones; `mtu` came with 1.16. It opens a tap by name,
has no handler for TERM, which the first process of a namespace is then not ended by, and on x86_64 cannot be
switched off by its guest, only be reset.
"""

from __future__ import annotations

from urunc import jsontext
from urunc.errors import Unsupported
from urunc.machine import MODERN_VIRTIO, NO_PCI, PC_TIMERS, RESET_ENDS, File, LaunchPlan, UserNetwork
from urunc.monitors import binary, require, require_printable, require_raw

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.machine import Disk, Machine, Nic

BINARY = {"x86_64": "firecracker", "aarch64": "firecracker"}
_FROM = "Firecracker (github.com/firecracker-microvm/firecracker)"
PACKAGE = {"x86_64": _FROM, "aarch64": _FROM}
TAKES_TAP_FD = False
LARGEST_MTU = 65521
EMULATES = False
OVERLAYS = False
MODELS = ()
MOST_VCPUS = 32
OFFERS = frozenset({MODERN_VIRTIO, NO_PCI, PC_TIMERS, RESET_ENDS})
# What no program of its kind starts without; it has filters of its own.
NEEDED = ("execve", "exit_group", "futex", "ioctl", "mmap", "openat", "read", "write")
ALLOWED = ()

_CONFIG = "/vm.json"
# It takes 2048 and adds some words itself.
_LONGEST = 1900
_USUAL_MTU = 1500


def overhead_mib(_accel: str, *, tight: bool) -> int:  # noqa: ARG001  all of it is needed
    """Its specification promises five for a small machine; a margin for larger ones."""
    return 8


def launch(machine: Machine) -> LaunchPlan:
    """What it logs goes to the guest's output, so it logs errors only."""
    require(machine, "firecracker", offers=OFFERS)
    require_raw(machine, "firecracker")
    require_printable(machine, "firecracker")
    _check(machine)
    argv = [binary(BINARY, machine), "--no-api", "--config-file", _CONFIG, "--level", "Error"]
    if not machine.seccomp:
        argv.append("--no-seccomp")
    config = File(_CONFIG, jsontext.render(_config(machine)).encode())
    devices = ("/dev/kvm", "/dev/net/tun") if machine.guest.nics else ("/dev/kvm",)
    return LaunchPlan(tuple(argv), devices, files=(*machine.guest.files, config), stop_signal=9)


def _check(machine: Machine) -> None:
    if machine.guest.shares:
        raise Unsupported(
            "firecracker cannot share a directory with its guest", hint="use an initrd or a block image"
        )
    if len(machine.guest.cmdline) > _LONGEST:
        raise Unsupported(f"firecracker takes a command line of at most {_LONGEST} bytes")
    if machine.vcpus > MOST_VCPUS:
        raise Unsupported(f"firecracker has at most {MOST_VCPUS} processors, not {machine.vcpus}")


def _config(machine: Machine) -> dict[str, object]:
    guest = machine.guest
    boot: dict[str, object] = {"kernel_image_path": machine.kernel, "boot_args": guest.cmdline}
    if guest.initrd:
        boot["initrd_path"] = guest.initrd
    config: dict[str, object] = {
        "boot-source": boot,
        "machine-config": {"vcpu_count": machine.vcpus, "mem_size_mib": machine.memory_mib},
        "drives": [_drive(disk) for disk in guest.disks],
    }
    if guest.nics:
        config["network-interfaces"] = [_interface(nic) for nic in guest.nics]
    return config


def _drive(disk: Disk) -> dict[str, object]:
    """Not as the root device: that would add to the guest's command line, which says its root itself."""
    return {
        "drive_id": disk.name,
        "path_on_host": disk.path,
        "is_root_device": False,
        "is_read_only": disk.readonly,
    }


def _interface(nic: Nic) -> dict[str, object]:
    network = nic.network
    if isinstance(network, UserNetwork):
        raise Unsupported("firecracker has no user-mode network", hint="run it as root, or use qemu")
    interface: dict[str, object] = {
        "iface_id": nic.name,
        "host_dev_name": network.tap,
        "guest_mac": network.mac,
    }
    return interface if network.mtu == _USUAL_MTU else {**interface, "mtu": network.mtu}
