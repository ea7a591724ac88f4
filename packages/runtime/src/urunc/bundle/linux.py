# SPDX-License-Identifier: Apache-2.0
"""`linux` of config.json: namespaces and what belongs to them, and the filter of system calls.  Pure."""

from __future__ import annotations

from urunc.seccomp import Condition, Profile, Rule
from urunc.table import MOST_IDENTITIES
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.table import Table

NAMESPACE_KINDS = ("user", "ipc", "uts", "network", "pid", "mount", "cgroup", "time")
CLOCKS = ("monotonic", "boottime")
PROPAGATIONS = tuple(
    prefix + kind for kind in ("private", "slave", "shared", "unbindable") for prefix in ("", "r")
)
_FARTHEST_S, _SECOND_NS = 1 << 62, 10**9


class Namespace(Record):
    """A new namespace, or the one behind a path."""

    kind: str
    path: str = ""


class IdMap(Record):
    """So many ids, from one of the container's on and from one of the host's on."""

    container: int
    host: int
    size: int


def to_host(number: int, maps: tuple[IdMap, ...]) -> int:
    """What the host calls an id of the container; the id itself where that has the host's.

    `isolation.check` has seen that there is one.
    """
    for one in maps:
        if one.container <= number < one.container + one.size:
            return number - one.container + one.host
    return number


class TimeOffset(Record):
    """How much farther a clock is in the container."""

    clock: str
    seconds: int
    nanoseconds: int


class Isolation(Record):
    """What belongs to namespaces."""

    uids: tuple[IdMap, ...] = ()
    gids: tuple[IdMap, ...] = ()
    time_offsets: tuple[TimeOffset, ...] = ()
    sysctls: tuple[tuple[str, str], ...] = ()
    propagation: str = ""
    """Of the monitor's root."""
    mount_label: str = ""
    domain: str = ""
    """LINUX or LINUX32, where a personality is asked for."""


def namespaces(linux: Table) -> tuple[Namespace, ...]:
    """`linux.namespaces`, in the order in which they are entered."""
    found: dict[str, Namespace] = {}
    for entry in linux.tables("namespaces"):
        kind = entry.one_of("type", NAMESPACE_KINDS)
        if kind in found:
            raise entry.error("type", f"names {kind!r} a second time")
        path = entry.text("path")
        if path and not path.startswith("/"):
            raise entry.error("path", f"is {path!r}, which is not absolute")
        found[kind] = Namespace(kind, path)
    return tuple(found[kind] for kind in NAMESPACE_KINDS if kind in found)


def isolation(linux: Table) -> Isolation:
    """The fields that say more about namespaces."""
    return Isolation(
        id_maps(linux, "uidMappings"),
        id_maps(linux, "gidMappings"),
        _time_offsets(linux.table("timeOffsets")),
        tuple(linux.mapping("sysctl").items()),
        linux.one_of("rootfsPropagation", PROPAGATIONS) if linux.text("rootfsPropagation") else "",
        linux.text("mountLabel"),
        _domain(linux.table("personality")) if linux.has("personality") else "",
    )


def id_maps(linux: Table, name: str) -> tuple[IdMap, ...]:
    """Ranges that do not overlap, on neither side."""
    found: list[IdMap] = []
    for entry in linux.tables(name):
        one = IdMap(entry.identity("containerID"), entry.identity("hostID"), entry.identity("size"))
        if not one.size:
            raise entry.error("size", "must be greater than zero")
        if max(one.container, one.host) + one.size > MOST_IDENTITIES:
            raise entry.error("size", f"is {one.size}, which is more than there are ids")
        for side in ("container", "host"):
            if any(_overlap(getattr(one, side), one.size, getattr(o, side), o.size) for o in found):
                raise entry.error(f"{side}ID", "begins a range that overlaps with another one")
        found.append(one)
    return tuple(found)


def _overlap(one: int, size: int, other: int, other_size: int) -> bool:
    return one < other + other_size and other < one + size


def _time_offsets(clocks: Table) -> tuple[TimeOffset, ...]:
    found = []
    for clock in CLOCKS:
        if clocks.has(clock):
            entry = clocks.table(clock)
            seconds = entry.between("secs", -_FARTHEST_S, _FARTHEST_S) or 0
            nanoseconds = entry.between("nanosecs", 0, _SECOND_NS - 1) or 0
            found.append(TimeOffset(clock, seconds, nanoseconds))
    return tuple(found)


def _domain(personality: Table) -> str:
    if personality.texts("flags"):
        raise personality.error("flags", "must be empty: the specification knows none yet")
    return personality.one_of("domain", ("LINUX", "LINUX32"))


def seccomp(found: Table) -> Profile | None:
    """The words only: an ordinary container may have a profile that is not for a monitor."""
    rules = tuple(map(_rule, found.tables("syscalls")))
    if not rules and not found.text("defaultAction"):
        return None
    return Profile(
        found.text("defaultAction"),
        found.number("defaultErrnoRet"),
        found.texts("architectures"),
        found.texts("flags") if found.has("flags") else None,
        rules,
    )


def _rule(entry: Table) -> Rule:
    conditions = tuple(map(_condition, entry.tables("args")))
    return Rule(entry.texts("names"), entry.text("action"), entry.number("errnoRet"), conditions)


def _condition(entry: Table) -> Condition:
    index, value, value_two = (entry.number(name) or 0 for name in ("index", "value", "valueTwo"))
    return Condition(index, entry.text("op"), value, value_two)
