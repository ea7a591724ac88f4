# SPDX-License-Identifier: Apache-2.0
"""update: change what a container may take while it runs."""

from __future__ import annotations

import posix

from urunc import confinement, hierarchy, jsontext, resources, state
from urunc.errors import HostError, NotRunning, Unsupported, UsageError
from urunc.host import cgroups
from urunc.table import Table
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from urunc.cli import Context
    from urunc.hierarchy import Place
    from urunc.resources import Resources
    from urunc.state import State

_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40, "p": 1 << 50}
# Options and the fields of linux.resources that they are.
_FIELDS = {
    "blkio_weight": ("blockIO", "weight"),
    "cpu_burst": ("cpu", "burst"),
    "cpu_idle": ("cpu", "idle"),
    "cpu_period": ("cpu", "period"),
    "cpu_quota": ("cpu", "quota"),
    "cpu_rt_period": ("cpu", "realtimePeriod"),
    "cpu_rt_runtime": ("cpu", "realtimeRuntime"),
    "cpu_share": ("cpu", "shares"),
    "cpuset_cpus": ("cpu", "cpus"),
    "cpuset_mems": ("cpu", "mems"),
    "kernel_memory": ("memory", "kernel"),
    "kernel_memory_tcp": ("memory", "kernelTCP"),
    "memory": ("memory", "limit"),
    "memory_reservation": ("memory", "reservation"),
    "memory_swap": ("memory", "swap"),
    "pids_limit": ("pids", "limit"),
}
_TEXTS = ("cpus", "mems")
_MIB = 1 << 20


class Options(Record):
    """The command line."""

    id: str
    resources: str = ""
    blkio_weight: str = ""
    cpu_burst: str = ""
    cpu_idle: str = ""
    cpu_period: str = ""
    cpu_quota: str = ""
    cpu_rt_period: str = ""
    cpu_rt_runtime: str = ""
    cpu_share: str = ""
    cpuset_cpus: str = ""
    cpuset_mems: str = ""
    kernel_memory: str = ""
    kernel_memory_tcp: str = ""
    memory: str = ""
    memory_reservation: str = ""
    memory_swap: str = ""
    pids_limit: str = ""
    l3_cache_schema: str = ""
    mem_bw_schema: str = ""


def run(context: Context, options: Options) -> int:
    """Set what is named; what is not stays as it is, devices always."""
    lock = context.lock(options.id)
    try:
        found = state.load(context.root, options.id)
        if state.status(found) == state.STOPPED:
            raise NotRunning(found.id)
        _update(context, found, _wanted(options))
    finally:
        posix.close(lock)
    return 0


def _update(context: Context, found: State, wanted: Resources) -> None:
    hierarchies = cgroups.find()
    places = hierarchy.places(hierarchies, found.cgroups)
    wanted = _completed(wanted, places)
    _check(wanted, places)
    limit = wanted.memory.limit or 0
    if 0 < limit < found.memory_mib * _MIB:
        context.log.warning(
            f"the guest of {found.id} and its monitor may take {found.memory_mib} MiB; "
            "beyond the new limit the kernel kills the monitor"
        )
    confinement.limit(wanted, hierarchies, found.cgroups, restore=True)
    if found.unit:
        from urunc import systemd
        from urunc.host import units

        alone = all(one.unified for one in hierarchies)
        units.change(found.unit, systemd.limit_properties(wanted, unified=alone))


def _wanted(options: Options) -> Resources:
    if options.resources:
        text = _read(options.resources)
        try:
            raw = jsontext.parse(text)
        except ValueError as error:
            raise UsageError(f"--resources {options.resources} is not valid JSON: {error}") from error
        if not isinstance(raw, dict):
            raise UsageError(f"--resources {options.resources} is not a JSON object")
        return resources.parse(Table(raw, "", f"--resources {options.resources}"))
    for name in ("l3_cache_schema", "mem_bw_schema"):
        if getattr(options, name):
            raise Unsupported(f"--{name.replace('_', '-')} is not served", hint="leave it out")
    return resources.parse(Table(_raw(options), "", "update"))


def _raw(options: Options) -> dict[str, Any]:
    raw: dict[str, dict[str, Any]] = {}
    for name, (part, field) in _FIELDS.items():
        text = getattr(options, name)
        if text:
            value = text if field in _TEXTS else _number(name, text, units=part == "memory")
            raw.setdefault(part, {})[field] = value
    return raw


def _number(name: str, text: str, *, units: bool) -> int:
    """64m -> 67108864; only amounts of memory have units."""
    digits = text.strip().lower()
    unit = digits.lstrip("-0123456789") if units else ""
    value = digits.removesuffix(unit)
    # 64m, 64mb and 64mib mean the same to all engines.
    unit = unit.removesuffix("ib") if len(unit) == 3 else unit.removesuffix("b") if len(unit) == 2 else unit
    if not value.removeprefix("-").isdecimal() or unit not in _UNITS:
        raise UsageError(
            f"--{name.replace('_', '-')}: {text!r} is not a number", hint="write it like 64 or -1"
        )
    return int(value) * _UNITS[unit]


def _read(path: str) -> str:
    try:
        if path == "-":
            return b"".join(iter(lambda: posix.read(0, 1 << 16), b"")).decode()
        with open(path, encoding="utf-8") as file:
            return file.read()
    except UnicodeDecodeError as error:
        raise UsageError(f"--resources {path} is not UTF-8: {error}") from error
    except OSError as error:
        raise HostError(f"read {path}", error) from error


def _completed(wanted: Resources, places: dict[str, Place]) -> Resources:
    """With what is set already, where a file of version 2 holds several fields."""
    cpu, memory = places.get("cpu"), places.get("memory")
    if cpu and cpu.unified and wanted.cpu.period is not None and wanted.cpu.quota is None:
        quota = _amount(cgroups.read(f"{cpu.directory}/cpu.max").split()[0])
        wanted = wanted.replace(cpu=wanted.cpu.replace(quota=quota))
    if memory and memory.unified and wanted.memory.swap not in (None, -1) and wanted.memory.limit is None:
        limit = _amount(cgroups.read(f"{memory.directory}/memory.max").strip())
        wanted = wanted.replace(memory=wanted.memory.replace(limit=limit))
    return wanted


def _amount(text: str) -> int:
    return -1 if text == "max" else int(text)


def _check(wanted: Resources, places: dict[str, Place]) -> None:
    """Where it is asked for, refuse a limit that would have the kernel kill at once."""
    memory, place = wanted.memory, places.get("memory")
    if not memory.check_before_update or not place or memory.limit is None or memory.limit < 0:
        return
    file = "memory.current" if place.unified else "memory.usage_in_bytes"
    used = int(cgroups.read(f"{place.directory}/{file}"))
    if used > memory.limit:
        raise Unsupported(
            f"the container uses {used} bytes of memory, more than the new limit of {memory.limit}",
            hint="leave out checkBeforeUpdate to have the kernel kill it",
        )
