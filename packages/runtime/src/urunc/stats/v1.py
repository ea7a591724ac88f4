# SPDX-License-Identifier: Apache-2.0
"""What a container takes, by cgroups of version 1.  Pure."""

from __future__ import annotations

from urunc.stats import listed, number, pairs, pids, sizes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from urunc.stats import Texts

# cpuacct.stat counts in hundredths of a second on every architecture.
_TICK_NS = 10_000_000
_CPUSET = (
    "cpu_exclusive", "mem_hardwall", "mem_exclusive", "memory_migrate", "memory_spread_page",
    "memory_spread_slab", "memory_pressure", "sched_load_balance", "sched_relax_domain_level",
)  # fmt: skip
_BLKIO = {
    "ioServiceBytesRecursive": "io_service_bytes",
    "ioServicedRecursive": "io_serviced",
    "ioQueueRecursive": "io_queued",
    "ioServiceTimeRecursive": "io_service_time",
    "ioWaitTimeRecursive": "io_wait_time",
    "ioMergedRecursive": "io_merged",
    "ioTimeRecursive": "time",
    "sectorsRecursive": "sectors",
}


def _cpu(texts: Texts) -> dict[str, object]:
    found = pairs(texts.get("cpu.stat", ""))
    return {
        "throttling": {
            "periods": found.get("nr_periods", 0),
            "throttledPeriods": found.get("nr_throttled", 0),
            "throttledTime": found.get("throttled_time", 0),
        }
    }


def _cpuacct(texts: Texts) -> dict[str, object]:
    total = pairs(texts.get("cpuacct.stat", ""))
    rows = [line.split() for line in texts.get("cpuacct.usage_all", "").splitlines()[1:]]
    return {
        "usage": {
            "total": number(texts, "cpuacct.usage"),
            "percpu": [int(word) for word in texts.get("cpuacct.usage_percpu", "").split()],
            "percpu_kernel": [int(row[2]) for row in rows],
            "percpu_user": [int(row[1]) for row in rows],
            "kernel": total.get("system", 0) * _TICK_NS,
            "user": total.get("user", 0) * _TICK_NS,
        }
    }


def _cpuset(texts: Texts) -> dict[str, object]:
    lists = {name: listed(texts.get(f"cpuset.{name}", "")) for name in ("cpus", "mems")}
    flags = {name: number(texts, f"cpuset.{name}") for name in _CPUSET}
    return {
        "cpus": lists["cpus"],
        "cpu_exclusive": flags.pop("cpu_exclusive"),
        "mems": lists["mems"],
        **flags,
    }


def _memory(texts: Texts) -> dict[str, object]:
    raw = pairs(texts.get("memory.stat", ""))
    kinds = {"usage": "", "swap": "memsw.", "kernel": "kmem.", "kernelTCP": "kmem.tcp."}
    return {
        "cache": raw.get("cache", 0),
        **{kind: _amounts(texts, f"memory.{prefix}") for kind, prefix in kinds.items()},
        "raw": raw,
    }


def _amounts(texts: Texts, prefix: str) -> dict[str, int]:
    return {
        "limit": number(texts, f"{prefix}limit_in_bytes"),
        "usage": number(texts, f"{prefix}usage_in_bytes"),
        "max": number(texts, f"{prefix}max_usage_in_bytes"),
        "failcnt": number(texts, f"{prefix}failcnt"),
    }


def _blkio(texts: Texts) -> dict[str, object]:
    """By the scheduler where it counts, else by what is throttled."""
    found: dict[str, object] = {}
    for name, file in _BLKIO.items():
        for path in (f"blkio.bfq.{file}_recursive", f"blkio.{file}_recursive", f"blkio.throttle.{file}"):
            entries = _entries(texts.get(path, ""))
            if entries:
                found[name] = entries
                break
    return found


def _entries(text: str) -> list[dict[str, object]]:
    """Lines of a device, what was done and how much; the last line is the total of all devices."""
    found: list[dict[str, object]] = []
    for words in (line.split() for line in text.splitlines()):
        major, colon, minor = words[0].partition(":")
        if colon:
            done = {"op": words[1]} if len(words) == 3 else {}
            found.append({"major": int(major), "minor": int(minor), **done, "value": int(words[-1])})
    return found


def _hugetlb(texts: Texts) -> dict[str, object]:
    return {
        size: {
            "usage": number(texts, f"hugetlb.{size}.usage_in_bytes"),
            "max": number(texts, f"hugetlb.{size}.max_usage_in_bytes"),
            "failcnt": number(texts, f"hugetlb.{size}.failcnt"),
        }
        for size in sizes(tuple(texts))
    }


CONTROLLERS: Mapping[str, tuple[str, Callable[[Texts], dict[str, object]]]] = {
    "cpuacct": ("cpu", _cpuacct),
    "cpu": ("cpu", _cpu),
    "cpuset": ("cpuset", _cpuset),
    "memory": ("memory", _memory),
    "pids": ("pids", pids),
    "blkio": ("blkio", _blkio),
    "hugetlb": ("hugetlb", _hugetlb),
}
