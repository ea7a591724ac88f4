# SPDX-License-Identifier: Apache-2.0
"""How large the virtual machine is: memory, processors, and QEMU's kind of machine.  Pure."""

from __future__ import annotations

from urunc.errors import Unsupported
from urunc_common.errors import ConfigError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.guests import GuestModule
    from urunc.monitors import MonitorModule

# The annotation of a container that chooses the kind of machine.
MACHINE_KEY = "run.urunc.machine"
AUTO = "auto"
_MIB = 1 << 20
# Below this limit a monitor that emulates makes do with less.
_TIGHT_MIB = 256


def effective_limit(limit_bytes: int | None, host_bytes: int) -> int | None:
    """A limit that the host has not got limits nothing: engines write such a number for "unlimited"."""
    return limit_bytes if limit_bytes is not None and limit_bytes < host_bytes else None


def is_tight(limit_bytes: int | None) -> bool:
    """Whether the limit leaves so little that speed has to give way."""
    return limit_bytes is not None and limit_bytes < _TIGHT_MIB * _MIB


def memory_mib(
    limit_bytes: int | None, default_mib: int, guest: GuestModule, monitor: MonitorModule, accel: str
) -> int:
    """The guest's share of the container's memory limit; the monitor needs some itself."""
    if limit_bytes is None or limit_bytes <= 0:
        return max(default_mib, guest.MINIMUM_MIB)
    overhead = monitor.overhead_mib(accel, tight=is_tight(limit_bytes))
    left = limit_bytes // _MIB - overhead
    if left >= guest.MINIMUM_MIB:
        return left
    raise Unsupported(
        f"a memory limit of {limit_bytes // _MIB} MiB is too small for this unikernel and its monitor",
        hint=f"give it at least {_least_mib(guest, monitor, accel)} MiB",
    )


def _least_mib(guest: GuestModule, monitor: MonitorModule, accel: str) -> int:
    tight = guest.MINIMUM_MIB + monitor.overhead_mib(accel, tight=True)
    return tight if tight < _TIGHT_MIB else guest.MINIMUM_MIB + monitor.overhead_mib(accel, tight=False)


def vcpus(
    quota: int | None, period: int | None, cpuset: str, *, default: int, host: int, monitor: MonitorModule
) -> int:
    """As many processors as the container may use at once, or the default where nothing limits it."""
    limits = [count for count in (_from_quota(quota, period), count_cpus(cpuset)) if count]
    return max(1, min([*(limits or [default]), host, monitor.MOST_VCPUS]))


def _from_quota(quota: int | None, period: int | None) -> int:
    """Half a processor is one, one and a half are two; 0 for no limit."""
    if not quota or quota < 0 or not period:
        return 0
    return -(-quota // period)


def count_cpus(cpuset: str) -> int:
    """0-2,5 -> 4; 0 for what the kernel would refuse, which is its business."""
    count = 0
    for part in cpuset.split(","):
        first, _, last = part.strip().partition("-")
        if not first.isdecimal() or (last and not last.isdecimal()):
            return 0
        count += int(last or first) - int(first) + 1
    return count


def model(wanted: str, configured: str, monitor: MonitorModule, name: str) -> str:
    """The kind of machine: what the container's annotation says, or the configuration, which was checked."""
    if not wanted:
        return configured
    known = (AUTO, *monitor.MODELS)
    if wanted not in known:
        raise ConfigError(
            f"{MACHINE_KEY}: {name} has no machine {wanted!r}", hint=f"use one of {', '.join(known)}"
        )
    return wanted
