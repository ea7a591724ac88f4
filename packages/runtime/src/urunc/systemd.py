# SPDX-License-Identifier: Apache-2.0
"""A container as a scope of systemd: its name, where its cgroup is, and which properties limit it.  Pure.

systemd.resource-control(5), org.freedesktop.systemd1(5).  Besides what systemd has a property for, the files
of the cgroup are written as without it; what it has one for it would put back when it reads its units again.
"""

from __future__ import annotations

from urunc.limits import UNLIMITED
from urunc.limits.v2 import weight_from_shares
from urunc_common.errors import Error
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from urunc.resources import Resources

    Property = tuple[str, tuple[str, Any]]

_DEFAULT_SLICE, _PREFIX = "system.slice", "urunc"
_INFINITY = (1 << 64) - 1
_SECOND_US, _DEFAULT_PERIOD_US = 1_000_000, 100_000
# systemd keeps quotas in hundredths of a processor.
_STEP_US = 10_000
# systemd.unit(5)
_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:-_.@\\")
_LONGEST = 255
_FORM = "slice:prefix:name"


class Scope(Record):
    """A unit for processes that somebody else starts."""

    name: str
    slice: str

    @property
    def path(self) -> str:
        """Of its cgroup, in every hierarchy."""
        return f"{_slice_path(self.slice)}/{self.name}"


def scope(cgroups_path: str, container_id: str, *, asked: bool) -> Scope | None:
    """What a cgroupsPath of the form slice:prefix:name means; None for a path.  Raises Error.

    With `asked`, systemd has to make the cgroup.
    """
    if not cgroups_path and asked:
        _require_name(f"{_PREFIX}-{container_id}.scope")
        return Scope(f"{_PREFIX}-{container_id}.scope", _DEFAULT_SLICE)
    parts = cgroups_path.split(":")
    if len(parts) != 3 or "/" in cgroups_path:
        if asked:
            raise Error(
                f"the cgroup path {cgroups_path!r} is not for systemd, which --systemd-cgroup asks for",
                hint=f"write it like {_FORM}, or leave out --systemd-cgroup",
            )
        return None
    parent, prefix, name = parts
    if not name:
        raise Error(f"the cgroup path {cgroups_path!r} names no unit", hint=f"write it like {_FORM}")
    found = Scope(f"{prefix}-{name}.scope" if prefix else f"{name}.scope", parent or _DEFAULT_SLICE)
    _require_name(found.name)
    _require_name(found.slice)
    _slice_path(found.slice)
    return found


def _require_name(name: str) -> None:
    if not _CHARACTERS.issuperset(name) or len(name) > _LONGEST:
        raise Error(f"{name!r} is no name of a unit", hint="use at most 255 letters, digits and : - _ . @")


def _slice_path(name: str) -> str:
    """a-b.slice -> /a.slice/a-b.slice"""
    stem = name.removesuffix(".slice")
    if name == "-.slice":
        return ""
    parts = stem.split("-")
    if stem == name or not all(parts):
        raise Error(f"{name!r} is no slice of systemd", hint="write it like system.slice or a-b.slice")
    return "".join(f"/{'-'.join(parts[: count + 1])}.slice" for count in range(len(parts)))


def start_properties(wanted: Scope, pid: int, container_id: str) -> tuple[Property, ...]:
    """What a new scope is, but for its limits."""
    accounting = ("CPUAccounting", "MemoryAccounting", "TasksAccounting", "IOAccounting", "BlockIOAccounting")
    return (
        ("Description", ("s", f"urunc container {container_id}")),
        ("Slice", ("s", wanted.slice)),
        ("PIDs", ("au", [pid])),
        # Its files are written, and cgroups may be made below it.
        ("Delegate", ("b", True)),
        ("DefaultDependencies", ("b", False)),
        ("CollectMode", ("s", "inactive-or-failed")),
        *((name, ("b", True)) for name in accounting),
    )


def limit_properties(resources: Resources, *, unified: bool) -> tuple[Property, ...]:
    """Limits that systemd knows; the others are in the files alone."""
    found = (*_memory(resources, unified=unified), *_cpu(resources, unified=unified), *_others(resources))
    return tuple(found)


def _memory(resources: Resources, *, unified: bool) -> Iterator[Property]:
    memory = resources.memory
    if memory.limit is not None:
        yield "MemoryMax" if unified else "MemoryLimit", ("t", _amount(memory.limit))
    if unified and memory.reservation is not None:
        yield "MemoryLow", ("t", _amount(memory.reservation))
    if unified and memory.swap is not None and memory.swap >= 0 and memory.limit is not None:
        yield "MemorySwapMax", ("t", max(0, memory.swap - memory.limit))


def _cpu(resources: Resources, *, unified: bool) -> Iterator[Property]:
    cpu = resources.cpu
    if cpu.shares is not None and cpu.idle is None:
        weight = weight_from_shares(cpu.shares) if unified else cpu.shares
        yield "CPUWeight" if unified else "CPUShares", ("t", weight)
    if cpu.quota is not None:
        period = cpu.period or _DEFAULT_PERIOD_US
        each_second = -(-cpu.quota * _SECOND_US // period // _STEP_US) * _STEP_US
        yield "CPUQuotaPerSecUSec", ("t", _INFINITY if cpu.quota < 0 else each_second)
    if cpu.period is not None:
        yield "CPUQuotaPeriodUSec", ("t", cpu.period)
    for name, listed in (("AllowedCPUs", cpu.cpus), ("AllowedMemoryNodes", cpu.mems)):
        if unified and listed:
            yield name, ("ay", _bits(listed))


def _others(resources: Resources) -> Iterator[Property]:
    if resources.pids is not None:
        yield "TasksMax", ("t", _amount(resources.pids))


def _amount(value: int) -> int:
    return _INFINITY if value == UNLIMITED else value


def _bits(listed: str) -> list[int]:
    """0-2,9 -> 7, 2: one bit for each"""
    bits = 0
    for part in listed.split(","):
        first, _, last = part.strip().partition("-")
        if not first.isdecimal() or (last and not last.isdecimal()) or int(last or first) >= 1 << 16:
            raise Error(f"{listed!r} is no list of processors or memory nodes", hint="write it like 0-2,5")
        for number in range(int(first), int(last or first) + 1):
            bits |= 1 << number
    return list(bits.to_bytes((bits.bit_length() + 7) // 8 or 1, "little"))
