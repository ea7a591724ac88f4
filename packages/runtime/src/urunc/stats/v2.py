# SPDX-License-Identifier: Apache-2.0
"""What a container takes, by cgroups of version 2.  Pure."""

from __future__ import annotations

from urunc.stats import UNLIMITED, listed, number, pairs, pids, sizes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from urunc.stats import Texts

_US = 1000
_IO = {
    "rbytes": ("ioServiceBytesRecursive", "Read"),
    "wbytes": ("ioServiceBytesRecursive", "Write"),
    "dbytes": ("ioServiceBytesRecursive", "Discard"),
    "rios": ("ioServicedRecursive", "Read"),
    "wios": ("ioServicedRecursive", "Write"),
    "dios": ("ioServicedRecursive", "Discard"),
}


def _cpu(texts: Texts) -> dict[str, object]:
    found = pairs(texts.get("cpu.stat", ""))
    return {
        "usage": {
            "total": found.get("usage_usec", 0) * _US,
            "kernel": found.get("system_usec", 0) * _US,
            "user": found.get("user_usec", 0) * _US,
        },
        "throttling": {
            "periods": found.get("nr_periods", 0),
            "throttledPeriods": found.get("nr_throttled", 0),
            "throttledTime": found.get("throttled_usec", 0) * _US,
        },
    }


def _cpuset(texts: Texts) -> dict[str, object]:
    return {name: listed(texts.get(f"cpuset.{name}.effective", "")) for name in ("cpus", "mems")}


def _memory(texts: Texts) -> dict[str, object]:
    raw = pairs(texts.get("memory.stat", ""))
    usage = _amounts(texts, "memory", number(texts, "memory.current"))
    # As in version 1, what is swapped out is counted together with what is not.
    swap = _amounts(texts, "memory.swap", number(texts, "memory.swap.current"))
    together = {name: usage[name] + swap[name] for name in ("usage", "max")}
    limits = usage["limit"], swap["limit"]
    limit = UNLIMITED if UNLIMITED in limits else sum(limits)
    return {
        "cache": raw.get("file", 0),
        "usage": usage,
        "swap": {"limit": limit, **together, "failcnt": swap["failcnt"]},
        "raw": raw,
    }


def _amounts(texts: Texts, prefix: str, usage: int) -> dict[str, int]:
    events = pairs(texts.get(f"{prefix}.events", ""))
    return {
        "limit": number(texts, f"{prefix}.max"),
        "usage": usage,
        "max": max(number(texts, f"{prefix}.peak"), usage),
        "failcnt": events.get("max", 0),
    }


def _io(texts: Texts) -> dict[str, object]:
    found: dict[str, list[dict[str, object]]] = {}
    for line in texts.get("io.stat", "").splitlines():
        device, *words = line.split()
        major, _, minor = device.partition(":")
        for word in words:
            name, _, value = word.partition("=")
            if name in _IO:
                key, done = _IO[name]
                entry = {"major": int(major), "minor": int(minor), "op": done, "value": int(value)}
                found.setdefault(key, []).append(entry)
    return {**found}


def _hugetlb(texts: Texts) -> dict[str, object]:
    return {
        size: {
            "usage": number(texts, f"hugetlb.{size}.current"),
            "failcnt": pairs(texts.get(f"hugetlb.{size}.events", "")).get("max", 0),
        }
        for size in sizes(tuple(texts))
    }


CONTROLLERS: Mapping[str, tuple[str, Callable[[Texts], dict[str, object]]]] = {
    "cpu": ("cpu", _cpu),
    "cpuset": ("cpuset", _cpuset),
    "memory": ("memory", _memory),
    "pids": ("pids", pids),
    "blkio": ("blkio", _io),
    "hugetlb": ("hugetlb", _hugetlb),
}
