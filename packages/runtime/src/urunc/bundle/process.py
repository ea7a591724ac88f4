# SPDX-License-Identifier: Apache-2.0
"""`process` of config.json: whom the monitor runs as, and what the kernel keeps of it.  Pure."""

from __future__ import annotations

from urunc.table import is_identity
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from urunc.table import Table

_MOST_GROUPS = 1 << 16
_WORD = (1 << 64) - 1
RLIMITS = (
    "RLIMIT_CPU", "RLIMIT_FSIZE", "RLIMIT_DATA", "RLIMIT_STACK", "RLIMIT_CORE", "RLIMIT_RSS", "RLIMIT_NPROC",
    "RLIMIT_NOFILE", "RLIMIT_MEMLOCK", "RLIMIT_AS", "RLIMIT_LOCKS", "RLIMIT_SIGPENDING", "RLIMIT_MSGQUEUE",
    "RLIMIT_NICE", "RLIMIT_RTPRIO", "RLIMIT_RTTIME",
)  # fmt: skip
"""In the order of the kernel's numbers."""
POLICIES = {
    "SCHED_OTHER": 0, "SCHED_FIFO": 1, "SCHED_RR": 2, "SCHED_BATCH": 3, "SCHED_ISO": 4, "SCHED_IDLE": 5,
    "SCHED_DEADLINE": 6,
}  # fmt: skip
_FLAGS = {
    "SCHED_FLAG_RESET_ON_FORK": 1, "SCHED_FLAG_RECLAIM": 2, "SCHED_FLAG_DL_OVERRUN": 4,
    "SCHED_FLAG_KEEP_POLICY": 8, "SCHED_FLAG_KEEP_PARAMS": 16, "SCHED_FLAG_UTIL_CLAMP_MIN": 32,
    "SCHED_FLAG_UTIL_CLAMP_MAX": 64,
}  # fmt: skip
_CLASSES = {"IOPRIO_CLASS_RT": 1, "IOPRIO_CLASS_BE": 2, "IOPRIO_CLASS_IDLE": 3}


class User(Record):
    """Whom the monitor runs as."""

    uid: int = 0
    gid: int = 0
    groups: tuple[int, ...] = ()
    umask: int | None = None


class Capabilities(Record):
    """What the container may have at most, by name."""

    bounding: tuple[str, ...] = ()
    permitted: tuple[str, ...] = ()
    effective: tuple[str, ...] = ()
    inheritable: tuple[str, ...] = ()
    ambient: tuple[str, ...] = ()


class Scheduler(Record):
    """As sched_setattr(2) takes it."""

    policy: int
    flags: int = 0
    nice: int = 0
    priority: int = 0
    runtime: int = 0
    deadline: int = 0
    period: int = 0


class Properties(Record):
    """What else the kernel keeps of the process; None or empty where nothing is asked for."""

    rlimits: tuple[tuple[str, int, int], ...] = ()
    oom_score_adj: int | None = None
    scheduler: Scheduler | None = None
    io_priority: tuple[int, int] | None = None
    """(class, priority)"""
    apparmor: str = ""
    selinux: str = ""


def user(found: Table) -> User:
    """`process.user`"""
    groups = found.take("additionalGids", list, [])
    if len(groups) > _MOST_GROUPS or not all(map(is_identity, groups)):
        raise found.error("additionalGids", f"must be a list of at most {_MOST_GROUPS} group ids")
    umask = found.between("umask", 0, 0o777)
    return User(found.identity("uid"), found.identity("gid"), tuple(groups), umask)


def capabilities(found: Table) -> Capabilities:
    """`process.capabilities`"""
    return Capabilities(*map(found.texts, Capabilities._fields))


def properties(process: Table) -> Properties:
    """The rest of `process` that holds for the monitor."""
    return Properties(
        _rlimits(process),
        process.between("oomScoreAdj", -1000, 1000),
        _scheduler(process.table("scheduler")) if process.has("scheduler") else None,
        _io_priority(process.table("ioPriority")) if process.has("ioPriority") else None,
        process.text("apparmorProfile"),
        process.text("selinuxLabel"),
    )


def _rlimits(process: Table) -> tuple[tuple[str, int, int], ...]:
    found: dict[str, tuple[str, int, int]] = {}
    for limit in process.tables("rlimits"):
        name = limit.one_of("type", RLIMITS)
        if name in found:
            raise limit.error("type", f"names {name} a second time")
        soft, hard = (limit.between(side, 0, _WORD) or 0 for side in ("soft", "hard"))
        if soft > hard:
            raise limit.error("soft", f"is {soft}, which is more than the hard limit {hard}")
        found[name] = (name, soft, hard)
    return tuple(found.values())


def _scheduler(found: Table) -> Scheduler:
    policy = POLICIES[found.one_of("policy", POLICIES)]
    flags = 0
    for name in found.texts("flags"):
        if name not in _FLAGS:
            raise found.error("flags", f"has {name!r}; known are {', '.join(_FLAGS)}")
        flags |= _FLAGS[name]
    nice, priority = found.between("nice", -20, 19) or 0, found.between("priority", 0, 99) or 0
    return Scheduler(policy, flags, nice, priority, *(_nanoseconds(found, name) for name in _TIMES))


_TIMES = ("runtime", "deadline", "period")


def _nanoseconds(found: Table, name: str) -> int:
    return found.between(name, 0, _WORD) or 0


def _io_priority(found: Table) -> tuple[int, int]:
    return _CLASSES[found.one_of("class", _CLASSES)], found.between("priority", 0, 7) or 0
