# SPDX-License-Identifier: Apache-2.0
"""Limits in cgroups of version 2.  Pure.  Linux, Documentation/admin-guide/cgroup-v2.rst."""

from __future__ import annotations

from urunc.errors import BundleError, Unsupported
from urunc.limits import PREFIX, UNLIMITED, Setting, amount, lines
from urunc.limits.v1 import cpuset, kernel_memory, rdma

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from urunc.resources import BlockIO, Cpu, Memory

MAX = "max"
_DEFAULT_PERIOD_US = 100000


def weight_from_shares(shares: int) -> int:
    """2 to 262144 -> 1 to 10000, as the kubelet and other runtimes do for the neighbours."""
    return 1 + (min(max(shares, 2), 262144) - 2) * 9999 // 262142


def weight_from_block_io(weight: int) -> int:
    """10 to 1000 -> 1 to 10000."""
    return 1 + (min(max(weight, 10), 1000) - 10) * 9999 // 990


def _memory(memory: Memory) -> tuple[Setting, ...]:
    kernel_memory(memory)
    for key, wanted in (
        ("kernelTCP", memory.kernel_tcp not in (None, UNLIMITED)),
        ("swappiness", memory.swappiness is not None),
        ("disableOOMKiller", memory.disable_oom_killer),
    ):
        if wanted:
            raise _only_v1(f"memory.{key}")
    swap = _swap(memory)
    return tuple(
        Setting(
            f"memory.{key}",
            ((f"memory.{file}", amount(value, MAX)),),
            holds_anyway=key == "swap" and value <= 0,
        )
        for key, file, value in (
            ("swap", "swap.max", swap),
            ("limit", "max", memory.limit),
            ("reservation", "low", memory.reservation),
        )
        if value is not None
    )


def _swap(memory: Memory) -> int | None:
    """The field counts memory and swap, the file swap alone."""
    limit, swap = memory.limit, memory.swap
    if swap in (None, UNLIMITED):
        return UNLIMITED if limit == UNLIMITED else swap
    if limit in (None, UNLIMITED):
        raise BundleError(f"{PREFIX}memory.swap is {swap}, but there is no memory.limit, which it includes")
    if swap < limit:
        raise BundleError(f"{PREFIX}memory.swap is {swap}, less than memory.limit, which it includes")
    return swap - limit


def _cpu(cpu: Cpu) -> tuple[Setting, ...]:
    return tuple(_cpu_settings(cpu))


def _cpu_settings(cpu: Cpu) -> Iterator[Setting]:
    for key, value in (("realtimeRuntime", cpu.realtime_runtime), ("realtimePeriod", cpu.realtime_period)):
        if value is not None:
            raise _only_v1(f"cpu.{key}")
    # One that is idle has no weight to be set.
    if cpu.idle is not None:
        yield Setting("cpu.idle", (("cpu.idle", str(cpu.idle)),))
    if cpu.shares is not None and cpu.idle != 1:
        yield Setting("cpu.shares", (("cpu.weight", str(weight_from_shares(cpu.shares))),))
    if cpu.quota is not None or cpu.period is not None:
        quota = amount(UNLIMITED if cpu.quota is None or cpu.quota < 0 else cpu.quota, MAX)
        # Without a period, the one that holds stays.
        text = quota if cpu.period is None else f"{quota} {cpu.period}"
        yield Setting("cpu.period" if cpu.quota is None else "cpu.quota", (("cpu.max", text),))
    if cpu.burst is not None:
        yield Setting("cpu.burst", (("cpu.max.burst", str(cpu.burst)),))


def _pids(limit: int | None) -> tuple[Setting, ...]:
    return () if limit is None else (Setting("pids.limit", (("pids.max", amount(limit, MAX)),)),)


def _io(block_io: BlockIO) -> tuple[Setting, ...]:
    return (*_weights(block_io), *_throttles(block_io))


def _weights(block_io: BlockIO) -> Iterator[Setting]:
    """By the scheduler BFQ where it is there, else by the controller's own cost model."""
    leaves = [one for one in block_io.devices if one.leaf_weight is not None]
    if block_io.leaf_weight is not None or leaves:
        raise _only_v1("blockIO.leafWeight")
    if block_io.weight is not None:
        own = f"default {weight_from_block_io(block_io.weight)}"
        yield Setting("blockIO.weight", (("io.bfq.weight", str(block_io.weight)), ("io.weight", own)))
    for one in block_io.devices:
        if one.weight is not None:
            own = f"{one.device} {weight_from_block_io(one.weight)}"
            ways = (("io.bfq.weight", f"{one.device} {one.weight}"), ("io.weight", own))
            yield Setting("blockIO.weightDevice", ways)


def _throttles(block_io: BlockIO) -> tuple[Setting, ...]:
    # No bytes per second means without a limit, as in version 1.
    texts = tuple(f"{one.device} {one.kind}={one.rate or MAX}" for one in block_io.throttles)
    return lines("blockIO.throttle", "io.max", texts)


def _hugetlb(limits: tuple[tuple[str, int], ...]) -> tuple[Setting, ...]:
    return tuple(
        Setting("hugepageLimits", ((f"hugetlb.{size}.{kind}max", str(limit)),), holds_anyway=bool(kind))
        for size, limit in limits
        for kind in ("", "rsvd.")
    )


def _only_v1(key: str) -> Unsupported:
    return Unsupported(
        f"{PREFIX}{key} cannot hold: cgroups of version 2 have nothing like it", hint=f"leave {key} out"
    )


CONTROLLERS: Mapping[str, Callable[[Any], tuple[Setting, ...]]] = {
    "cpuset": cpuset,
    "cpu": _cpu,
    "memory": _memory,
    "pids": _pids,
    "blkio": _io,
    "hugetlb": _hugetlb,
    "rdma": rdma,
}
