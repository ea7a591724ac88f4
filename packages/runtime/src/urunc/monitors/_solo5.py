# SPDX-License-Identifier: Apache-2.0
"""What the two Solo5 tenders share.  Options as in Solo5 0.9.3; all of them come before the kernel.

A tap can only be given by name: 0.12 refuses the open descriptor (`@3`) that its help offers.
"""

from __future__ import annotations

from urunc.errors import Unsupported
from urunc.machine import LaunchPlan, Network
from urunc.monitors import binary, require

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from urunc.machine import Disk, Machine, Nic

_LONGEST = 8191


def launch_tender(
    names: Mapping[str, str], machine: Machine, *, devices: tuple[str, ...], stop_signal: int
) -> LaunchPlan:
    """The command line of either tender; the guest's own is one word of it."""
    tender = binary(names, machine)
    _check(tender, machine)
    guest = machine.guest
    argv = [tender, f"--mem={machine.memory_mib}"]
    for nic in guest.nics:
        argv += _nic(tender, nic)
    for disk in guest.disks:
        argv.append(_disk(tender, disk))
    argv += ["--", machine.kernel]
    if guest.cmdline:
        argv.append(guest.cmdline)
    if guest.nics:
        devices += ("/dev/net/tun",)
    return LaunchPlan(tuple(argv), devices, stop_signal=stop_signal)


def _check(tender: str, machine: Machine) -> None:
    require(machine, tender)
    if machine.vcpus != 1:
        raise Unsupported(f"{tender} gives a unikernel one processor, not {machine.vcpus}")
    if machine.guest.initrd:
        raise Unsupported(f"{tender} cannot load an initrd")
    if len(machine.guest.cmdline.encode(errors="surrogateescape")) > _LONGEST:
        raise Unsupported(f"{tender} takes a command line of at most {_LONGEST} bytes")


def _nic(tender: str, nic: Nic) -> list[str]:
    if not isinstance(nic.network, Network):
        raise Unsupported(f"{tender} has no user-mode network", hint="run it as root, or use qemu")
    return [f"--net:{nic.name}={nic.network.tap}", f"--net-mac:{nic.name}={nic.network.mac}"]


def _disk(tender: str, disk: Disk) -> str:
    if disk.readonly:
        raise Unsupported(f"{tender} cannot attach a disk read-only")
    return f"--block:{disk.name}={disk.path}"
