# SPDX-License-Identifier: Apache-2.0
"""Limits in cgroups of version 1.  Pure.  Linux, Documentation/admin-guide/cgroup-v1."""

from __future__ import annotations

from urunc.errors import Unsupported
from urunc.limits import PREFIX, UNLIMITED, Setting, amount, lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from urunc.resources import BlockIO, Cpu, Memory, Rdma

_RATES = {
    "rbps": ("throttleReadBpsDevice", "blkio.throttle.read_bps_device"),
    "wbps": ("throttleWriteBpsDevice", "blkio.throttle.write_bps_device"),
    "riops": ("throttleReadIOPSDevice", "blkio.throttle.read_iops_device"),
    "wiops": ("throttleWriteIOPSDevice", "blkio.throttle.write_iops_device"),
}


def kernel_memory(memory: Memory) -> None:
    """Linux has given it up.  Raises Unsupported."""
    if memory.kernel not in (None, UNLIMITED):
        raise Unsupported(
            f"{PREFIX}memory.kernel cannot hold: Linux no longer limits the kernel's memory by itself",
            hint="leave it out; memory.limit counts that memory, too",
        )


def rdma(limits: tuple[Rdma, ...]) -> tuple[Setting, ...]:
    """The same in both versions."""
    texts = []
    for limit in limits:
        amounts = {"hca_handle": limit.handles, "hca_object": limit.objects}
        words = [f"{name}={value}" for name, value in amounts.items() if value is not None]
        texts.append(" ".join([limit.device, *words]))
    return lines("rdma", "rdma.max", tuple(texts))


def cpuset(cpu: Cpu) -> tuple[Setting, ...]:
    """The same in both versions."""
    found = {"cpus": cpu.cpus, "mems": cpu.mems}
    return tuple(Setting(f"cpu.{name}", ((f"cpuset.{name}", text),)) for name, text in found.items() if text)


def _memory(memory: Memory) -> tuple[Setting, ...]:
    kernel_memory(memory)
    # What is not limited with swap cannot be limited without it.
    swap = UNLIMITED if memory.limit == UNLIMITED and memory.swap is None else memory.swap
    found = (
        ("limit", "limit_in_bytes", memory.limit),
        ("swap", "memsw.limit_in_bytes", swap),
        ("reservation", "soft_limit_in_bytes", memory.reservation),
        ("kernelTCP", "kmem.tcp.limit_in_bytes", memory.kernel_tcp),
        ("swappiness", "swappiness", memory.swappiness),
        ("disableOOMKiller", "oom_control", 1 if memory.disable_oom_killer else None),
    )
    return tuple(
        Setting(
            f"memory.{key}",
            ((f"memory.{file}", str(value)),),
            holds_anyway=key == "swap" and value == UNLIMITED,
        )
        for key, file, value in found
        if value is not None
    )


def _cpu(cpu: Cpu) -> tuple[Setting, ...]:
    found = (
        ("shares", "shares", cpu.shares),
        ("realtimePeriod", "rt_period_us", cpu.realtime_period),
        ("realtimeRuntime", "rt_runtime_us", cpu.realtime_runtime),
        ("period", "cfs_period_us", cpu.period),
        ("quota", "cfs_quota_us", cpu.quota),
        ("burst", "cfs_burst_us", cpu.burst),
        ("idle", "idle", cpu.idle),
    )
    return tuple(
        Setting(f"cpu.{key}", ((f"cpu.{file}", str(value)),))
        for key, file, value in found
        if value is not None
    )


def _pids(limit: int | None) -> tuple[Setting, ...]:
    return () if limit is None else (Setting("pids.limit", (("pids.max", amount(limit, "max")),)),)


def _blkio(block_io: BlockIO) -> tuple[Setting, ...]:
    return (*_weights(block_io), *_throttles(block_io))


def _weights(block_io: BlockIO) -> Iterator[Setting]:
    """By the scheduler BFQ, or CFQ on old kernels, which alone knows leaves."""
    if block_io.weight is not None:
        text = str(block_io.weight)
        yield Setting("blockIO.weight", (("blkio.bfq.weight", text), ("blkio.weight", text)))
    if block_io.leaf_weight is not None:
        yield Setting("blockIO.leafWeight", (("blkio.leaf_weight", str(block_io.leaf_weight)),))
    for one in block_io.devices:
        if one.weight is not None:
            text = f"{one.device} {one.weight}"
            ways = (("blkio.bfq.weight_device", text), ("blkio.weight_device", text))
            yield Setting("blockIO.weightDevice", ways)
        if one.leaf_weight is not None:
            leaf = ("blkio.leaf_weight_device", f"{one.device} {one.leaf_weight}")
            yield Setting("blockIO.weightDevice.leafWeight", (leaf,))


def _throttles(block_io: BlockIO) -> Iterator[Setting]:
    for one in block_io.throttles:
        key, file = _RATES[one.kind]
        yield Setting(f"blockIO.{key}", ((file, f"{one.device} {one.rate}"),))


def _hugetlb(limits: tuple[tuple[str, int], ...]) -> tuple[Setting, ...]:
    return tuple(
        Setting(
            "hugepageLimits", ((f"hugetlb.{size}.{kind}limit_in_bytes", str(limit)),), holds_anyway=bool(kind)
        )
        for size, limit in limits
        for kind in ("", "rsvd.")
    )


def _net_cls(class_id: int | None) -> tuple[Setting, ...]:
    return () if class_id is None else (Setting("network.classID", (("net_cls.classid", str(class_id)),)),)


def _net_prio(priorities: tuple[tuple[str, int], ...]) -> tuple[Setting, ...]:
    texts = tuple(f"{name} {priority}" for name, priority in priorities)
    return lines("network.priorities", "net_prio.ifpriomap", texts)


CONTROLLERS: Mapping[str, Callable[[Any], tuple[Setting, ...]]] = {
    "cpuset": cpuset,
    "cpu": _cpu,
    "memory": _memory,
    "pids": _pids,
    "blkio": _blkio,
    "hugetlb": _hugetlb,
    "net_cls": _net_cls,
    "net_prio": _net_prio,
    "rdma": rdma,
}
