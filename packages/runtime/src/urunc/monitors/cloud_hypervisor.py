# SPDX-License-Identifier: Apache-2.0
"""Cloud Hypervisor 51 or newer, which is told the format of a disk; 53 was looked at.

Options as in cloud-hypervisor/src/main.rs and vmm/src/config.rs.  Of an open tap it reads the MTU itself; by
`mtu=` it would set it, without the right to.  What it logs goes to standard error.
"""

from __future__ import annotations

from urunc.errors import Unsupported
from urunc.machine import DISK_NAMES, MODERN_VIRTIO, NINEP, VIRTIOFS, LaunchPlan, UserNetwork
from urunc.monitors import binary, require, require_printable, require_raw

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.machine import Disk, Machine, Nic, Share

BINARY = {"x86_64": "cloud-hypervisor", "aarch64": "cloud-hypervisor"}
_FROM = "Cloud Hypervisor (github.com/cloud-hypervisor/cloud-hypervisor)"
PACKAGE = {"x86_64": _FROM, "aarch64": _FROM}
TAKES_TAP_FD = True
LARGEST_MTU = 65521
EMULATES = False
OVERLAYS = False
MODELS = ()
MOST_VCPUS = 254
OFFERS = frozenset({DISK_NAMES, MODERN_VIRTIO, VIRTIOFS})
# What no program of its kind starts without; it has filters of its own.
NEEDED = ("execve", "exit_group", "futex", "ioctl", "mmap", "openat", "read", "write")
ALLOWED = ()

_QUEUE = 1024


def overhead_mib(_accel: str, *, tight: bool) -> int:  # noqa: ARG001  all of it is needed
    """Not measured: it maps the kernel and has a thread for each device."""
    return 32


def launch(machine: Machine) -> LaunchPlan:
    """An option that may be repeated takes several values, hence one option for each kind of device."""
    require(machine, "cloud-hypervisor", offers=OFFERS)
    require_raw(machine, "cloud-hypervisor")
    require_printable(machine, "cloud-hypervisor")
    guest = machine.guest
    shared = ",shared=on" if guest.shares else ""
    argv = [
        binary(BINARY, machine),
        "--memory", f"size={machine.memory_mib}M{shared}", "--cpus", f"boot={machine.vcpus}",
        "--serial", "tty", "--console", "off", "--seccomp", "true" if machine.seccomp else "false",
        "--kernel", machine.kernel,
        # A value of its own could look like an option.
        f"--cmdline={guest.cmdline}",
    ]  # fmt: skip
    if guest.initrd:
        argv += ["--initramfs", guest.initrd]
    argv += _option("--net", [_net(nic) for nic in guest.nics])
    argv += _option("--disk", [_disk(disk) for disk in guest.disks])
    argv += _option("--fs", [_fs(share) for share in guest.shares])
    return LaunchPlan(tuple(argv), _devices(machine), _descriptors(machine), guest.files, shares=guest.shares)


def _option(name: str, values: list[str]) -> list[str]:
    return [name, *values] if values else []


def _net(nic: Nic) -> str:
    network = nic.network
    if isinstance(network, UserNetwork):
        raise Unsupported("cloud-hypervisor has no user-mode network", hint="run it as root, or use qemu")
    end = f"fd={network.fd}" if network.fd >= 0 else f"tap={network.tap}"
    return f"{end},mac={network.mac},id={nic.name}"


def _disk(disk: Disk) -> str:
    readonly = ",readonly=on" if disk.readonly else ""
    return f"path={_quote(disk.path)},image_type=raw,id={disk.name},serial={disk.name}{readonly}"


def _fs(share: Share) -> str:
    if share.kind == NINEP:
        raise Unsupported("cloud-hypervisor shares directories by virtiofs, not by 9p", hint="use qemu")
    return f"tag={share.tag},socket={_quote(share.socket)},num_queues=1,queue_size={_QUEUE}"


def _quote(value: str) -> str:
    return f'"{value}"' if "," in value else value


def _devices(machine: Machine) -> tuple[str, ...]:
    networks = [nic.network for nic in machine.guest.nics]
    by_name = any(not isinstance(net, UserNetwork) and net.fd < 0 for net in networks)
    return ("/dev/kvm", "/dev/net/tun") if by_name else ("/dev/kvm",)


def _descriptors(machine: Machine) -> tuple[int, ...]:
    networks = [nic.network for nic in machine.guest.nics]
    return tuple(net.fd for net in networks if not isinstance(net, UserNetwork) and net.fd >= 0)
