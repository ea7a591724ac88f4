# SPDX-License-Identifier: Apache-2.0
"""QEMU's devices: networks, disks and shared directories, on whichever bus the machine has."""

from __future__ import annotations

from urunc.machine import MODERN_VIRTIO, VIRTIOFS, UserNetwork

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.machine import Disk, Machine, Network, Nic, Share

VHOST = "/dev/vhost-net"
_QUEUE = 1024


def devices(machine: Machine, bus: str) -> list[str]:
    """All that the guest asks for, in its order."""
    guest = machine.guest
    words = [word for index, nic in enumerate(guest.nics) for word in _nic(machine, bus, f"net{index}", nic)]
    words += [
        word for index, disk in enumerate(guest.disks) for word in _disk(machine, bus, f"disk{index}", disk)
    ]
    for index, share in enumerate(guest.shares):
        words += _share(machine, bus, f"share{index}", share)
    return words


def _device(machine: Machine, kind: str, bus: str) -> str:
    modern = bus == "pci" and MODERN_VIRTIO in machine.guest.quirks
    return f"{kind}-{bus}" + (",disable-legacy=on,disable-modern=off" if modern else "")


def _nic(machine: Machine, bus: str, name: str, nic: Nic) -> list[str]:
    device = f"{_device(machine, 'virtio-net', bus)},netdev={name},mac={nic.network.mac}"
    if bus == "pci":
        # No firmware for booting from the network.
        device += ",romfile="
    if isinstance(nic.network, UserNetwork):
        return ["-netdev", _user(name, nic.network), "-device", device]
    vhost = ",vhost=on" if machine.vhost else ""
    return ["-netdev", _tap(name, nic.network) + vhost, "-device", f"{device},host_mtu={nic.network.mtu}"]


def _tap(name: str, network: Network) -> str:
    if network.fd >= 0:
        return f"tap,id={name},fd={network.fd}"
    return f"tap,id={name},ifname={_escape(network.tap)},script=no,downscript=no"


def _user(name: str, network: UserNetwork) -> str:
    forwards = [f"hostfwd={protocol}::{host}-:{guest}" for protocol, host, guest in network.forwards]
    return ",".join([f"user,id={name}", *forwards])


def _disk(machine: Machine, bus: str, name: str, disk: Disk) -> list[str]:
    readonly = ",readonly=on" if disk.readonly else ""
    return [
        "-drive", f"if=none,id={name},file={_escape(disk.path)},format={disk.format}{readonly}",
        "-device", f"{_device(machine, 'virtio-blk', bus)},drive={name},serial={disk.name}",
    ]  # fmt: skip


def _share(machine: Machine, bus: str, name: str, share: Share) -> list[str]:
    if share.kind == VIRTIOFS:
        return [
            "-chardev", f"socket,id={name},path={_escape(share.socket)}",
            "-device", f"vhost-user-fs-{bus},queue-size={_QUEUE},chardev={name},tag={share.tag}",
        ]  # fmt: skip
    # Files of several file systems may have one number; `remap` keeps them apart.
    options = "security_model=none,multidevs=remap" + (",readonly=on" if share.readonly else "")
    return [
        "-fsdev", f"local,id={name},path={_escape(share.path)},{options}",
        "-device", f"{_device(machine, 'virtio-9p', bus)},fsdev={name},mount_tag={share.tag}",
    ]  # fmt: skip


def _escape(value: str) -> str:
    """QEMU splits option values at commas; a doubled comma is a literal one."""
    return value.replace(",", ",,")
