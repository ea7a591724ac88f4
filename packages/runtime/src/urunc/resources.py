# SPDX-License-Identifier: Apache-2.0
"""linux.resources as a value: what the engine lets a container take.  Pure.

OCI runtime specification 1.2, `config-linux.md`, Control groups.  A number that means "as it is" in engines'
files, mostly 0, is None.
"""

from __future__ import annotations

from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from urunc.table import Table

# What -1 becomes in a field without a sign.
_MINUS_ONE = ((1 << 64) - 1, -1)
_RATES = {
    "rbps": "throttleReadBpsDevice",
    "wbps": "throttleWriteBpsDevice",
    "riops": "throttleReadIOPSDevice",
    "wiops": "throttleWriteIOPSDevice",
}
DEVICE_KINDS = ("a", "b", "c")
_DEVICE_NAMES = {"u": "c"}


class Memory(Record):
    """-1 is no limit."""

    limit: int | None = None
    reservation: int | None = None
    swap: int | None = None
    kernel: int | None = None
    kernel_tcp: int | None = None
    swappiness: int | None = None
    disable_oom_killer: bool = False
    check_before_update: bool = False


class Cpu(Record):
    """Times are in microseconds."""

    shares: int | None = None
    quota: int | None = None
    burst: int | None = None
    period: int | None = None
    realtime_runtime: int | None = None
    realtime_period: int | None = None
    cpus: str = ""
    mems: str = ""
    idle: int | None = None


class WeightDevice(Record):
    """A weight for one block device."""

    device: str
    weight: int | None = None
    leaf_weight: int | None = None


class Throttle(Record):
    """What may be read or written per second; `kind` is as version 2 names it."""

    kind: str
    device: str
    rate: int


class BlockIO(Record):
    """Input and output on block devices."""

    weight: int | None = None
    leaf_weight: int | None = None
    devices: tuple[WeightDevice, ...] = ()
    throttles: tuple[Throttle, ...] = ()


class Rdma(Record):
    """Limits for one RDMA device."""

    device: str
    handles: int | None = None
    objects: int | None = None


class DeviceRule(Record):
    """Devices that may be used, or not; None stands for every number."""

    allow: bool
    kind: str = "a"
    major: int | None = None
    minor: int | None = None
    access: str = "rwm"


class Resources(Record):
    """All of it."""

    memory: Memory = Memory()
    cpu: Cpu = Cpu()
    pids: int | None = None
    block_io: BlockIO = BlockIO()
    hugepages: tuple[tuple[str, int], ...] = ()
    class_id: int | None = None
    priorities: tuple[tuple[str, int], ...] = ()
    rdma: tuple[Rdma, ...] = ()
    unified: Mapping[str, str] = {}
    devices: tuple[DeviceRule, ...] = ()


def parse(table: Table) -> Resources:
    """The fields of linux.resources.  Raises BundleError."""
    network = table.table("network")
    return Resources(
        memory=_memory(table.table("memory")),
        cpu=_cpu(table.table("cpu")),
        pids=table.table("pids").number("limit") or None,
        block_io=_block_io(table.table("blockIO")),
        hugepages=tuple(map(_hugepages, table.tables("hugepageLimits"))),
        class_id=network.number("classID") or None,
        priorities=tuple(
            (_word(one, "name"), one.number("priority") or 0) for one in network.tables("priorities")
        ),
        rdma=_rdma(table),
        unified=_unified(table),
        devices=tuple(map(_rule, table.tables("devices"))),
    )


def granted(linux: Table) -> tuple[DeviceRule, ...]:
    """The devices that linux.devices puts into the container."""
    return tuple(
        _rule(entry).replace(allow=True, access="rwm")
        for entry in linux.tables("devices")
        if entry.text("type") in ("b", "c", "u")
    )


def _memory(table: Table) -> Memory:
    swappiness = table.number("swappiness")
    return Memory(
        limit=table.number("limit") or None,
        reservation=table.number("reservation") or None,
        swap=table.number("swap") or None,
        kernel=table.number("kernel") or None,
        kernel_tcp=table.number("kernelTCP") or None,
        swappiness=None if swappiness in _MINUS_ONE else swappiness,
        disable_oom_killer=table.flag("disableOOMKiller"),
        check_before_update=table.flag("checkBeforeUpdate"),
    )


def _cpu(table: Table) -> Cpu:
    return Cpu(
        shares=table.number("shares") or None,
        quota=table.number("quota") or None,
        burst=table.number("burst"),
        period=table.number("period") or None,
        realtime_runtime=table.number("realtimeRuntime") or None,
        realtime_period=table.number("realtimePeriod") or None,
        cpus=table.text("cpus"),
        mems=table.text("mems"),
        idle=table.number("idle"),
    )


def _block_io(table: Table) -> BlockIO:
    return BlockIO(
        weight=table.number("weight") or None,
        leaf_weight=table.number("leafWeight") or None,
        devices=tuple(
            WeightDevice(_device(one), one.number("weight") or None, one.number("leafWeight") or None)
            for one in table.tables("weightDevice")
        ),
        throttles=tuple(
            Throttle(kind, _device(one), one.number("rate") or 0)
            for kind, name in _RATES.items()
            for one in table.tables(name)
        ),
    )


def _device(table: Table) -> str:
    numbers = [table.number(name) for name in ("major", "minor")]
    for name, number in zip(("major", "minor"), numbers, strict=True):
        if number is None or number < 0:
            raise table.error(name, "is missing" if number is None else f"is {number}")
    return ":".join(map(str, numbers))


def _hugepages(table: Table) -> tuple[str, int]:
    limit = table.number("limit")
    if limit is None:
        raise table.error("limit", "is missing")
    return _word(table, "pageSize"), limit


def _rdma(table: Table) -> tuple[Rdma, ...]:
    devices = table.table("rdma")
    return tuple(
        Rdma(
            name,
            devices.table(name).number("hcaHandles"),
            devices.table(name).number("hcaObjects"),
        )
        for name in table.take("rdma", dict, {})
        if _require_word(devices, name, name)
    )


def _unified(table: Table) -> dict[str, str]:
    found = table.mapping("unified")
    for name in found:
        if not name or "/" in name or "\0" in name or name.startswith("."):
            raise table.error("unified", f"names {name!r}, which is no file of a cgroup")
    return found


def _word(table: Table, name: str) -> str:
    """A text that becomes one word of a line for the kernel."""
    return _require_word(table, name, table.text(name))


def _require_word(table: Table, name: str, text: str) -> str:
    if not text or "/" in text or len(text.split()) != 1 or text != text.strip():
        raise table.error(name, f"is {text!r}, which is not one word")
    return text


def _rule(table: Table) -> DeviceRule:
    kind = table.text("type", "a") or "a"
    kind = _DEVICE_NAMES.get(kind, kind)
    if kind not in DEVICE_KINDS:
        raise table.error("type", f"is {kind!r}; known are {', '.join(DEVICE_KINDS)}")
    access = table.text("access") or "rwm"
    if not set(access) <= set("rwm"):
        raise table.error("access", f"is {access!r}; it is made of r, w and m")
    return DeviceRule(table.flag("allow"), kind, _number(table, "major"), _number(table, "minor"), access)


def _number(table: Table, name: str) -> int | None:
    """A device's number; -1 is every one."""
    value = table.number(name)
    if value is not None and not -1 <= value < 1 << 32:
        raise table.error(name, f"is {value}, which is no number of a device")
    return None if value == -1 else value
