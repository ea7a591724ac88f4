# SPDX-License-Identifier: Apache-2.0
"""Which devices a container may use: rules of config.json, and those without which no monitor runs.  Pure.

The rules are brought into the form that the kernel's own controller has: a default, and exceptions.
"""

from __future__ import annotations

from urunc.errors import Unsupported
from urunc.resources import DeviceRule
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

# drivers/char/mem.c, Documentation/admin-guide/devices.txt: null, zero, full, random, urandom, tty, console,
# ptmx, and what is behind it.
_ALWAYS = (
    (1, 3), (1, 5), (1, 7), (1, 8), (1, 9), (5, 0), (5, 1), (5, 2), (136, None),
)  # fmt: skip
_EVERYTHING = DeviceRule(allow=True)
_NOTHING = DeviceRule(allow=False)


class Policy(Record):
    """What is true of every device but the exceptions."""

    allow: bool = True
    exceptions: tuple[DeviceRule, ...] = ()
    """Their `allow` is the opposite."""


def policy(
    asked: Iterable[DeviceRule], granted: Iterable[DeviceRule], needed: Iterable[tuple[str, int, int]]
) -> Policy:
    """Nothing but what config.json grants, by its rules or its list of devices, and what is needed.

    Making a node gives no access to what is behind it, so that is always allowed.
    """
    found = Policy(allow=False)
    for rule in (*asked, *granted, *_always(), *_needed(needed)):
        found = _with(found, rule)
    return found


def v1(wanted: Policy) -> tuple[tuple[str, str], ...]:
    """File and text, in order, for a cgroup of version 1 that has the rules of its parent."""
    if wanted.allow and not wanted.exceptions:
        return ()
    start = () if wanted.allow else (("devices.deny", "a"),)
    file = "devices.deny" if wanted.allow else "devices.allow"
    return (*start, *((file, _text(rule)) for rule in wanted.exceptions))


def _always() -> tuple[DeviceRule, ...]:
    nodes = tuple(DeviceRule(allow=True, kind=kind, access="m") for kind in ("b", "c"))
    return (*nodes, *(DeviceRule(True, "c", major, minor) for major, minor in _ALWAYS))  # noqa: FBT003


def _needed(needed: Iterable[tuple[str, int, int]]) -> tuple[DeviceRule, ...]:
    return tuple(DeviceRule(True, kind, major, minor) for kind, major, minor in needed)  # noqa: FBT003


def _with(found: Policy, rule: DeviceRule) -> Policy:
    """One more rule, after the others."""
    if rule.kind == "a" and rule.major is None and rule.minor is None and set(rule.access) == set("rwm"):
        return Policy(rule.allow)
    for kind in ("b", "c") if rule.kind == "a" else (rule.kind,):
        found = _with_one(found, rule.replace(kind=kind))
    return found


def _with_one(found: Policy, rule: DeviceRule) -> Policy:
    if rule.allow != found.allow:
        return found.replace(exceptions=_added(found.exceptions, rule))
    exceptions = tuple(left for one in found.exceptions if (left := _without(one, rule)))
    return found.replace(exceptions=exceptions)


def _added(exceptions: tuple[DeviceRule, ...], rule: DeviceRule) -> tuple[DeviceRule, ...]:
    for index, one in enumerate(exceptions):
        if _numbers(one) == _numbers(rule):
            access = "".join(letter for letter in "rwm" if letter in one.access + rule.access)
            return (*exceptions[:index], one.replace(access=access), *exceptions[index + 1 :])
    return (*exceptions, rule)


def _without(one: DeviceRule, rule: DeviceRule) -> DeviceRule | None:
    """What is left of an exception when a rule takes it back.  Raises Unsupported."""
    if not _overlap(one, rule):
        return one
    if not _covers(rule, one):
        raise Unsupported(
            f"linux.resources.devices takes {_text(rule)} out of {_text(one)}, which a cgroup cannot do",
            hint="list one by one what stays",
        )
    access = "".join(letter for letter in one.access if letter not in rule.access)
    return one.replace(access=access) if access else None


def _numbers(rule: DeviceRule) -> tuple[str, int | None, int | None]:
    return rule.kind, rule.major, rule.minor


def _overlap(one: DeviceRule, other: DeviceRule) -> bool:
    pairs = ((one.major, other.major), (one.minor, other.minor))
    numbers = all(a is None or b is None or a == b for a, b in pairs)
    return one.kind == other.kind and numbers and bool(set(one.access) & set(other.access) & set("rw"))


def _covers(wide: DeviceRule, narrow: DeviceRule) -> bool:
    return wide.major in (None, narrow.major) and wide.minor in (None, narrow.minor)


def _text(rule: DeviceRule) -> str:
    numbers = ("*" if number is None else str(number) for number in (rule.major, rule.minor))
    return f"{rule.kind} {':'.join(numbers)} {rule.access}"
