# SPDX-License-Identifier: Apache-2.0
"""What a seccomp profile says: a filter for libseccomp to compile, and what it forbids a monitor.  Pure.

OCI runtime specification 1.2, `config-linux.md`.  What that leaves open is as runc has it: a system call
that libseccomp does not know is skipped, as is a rule that repeats the default action; an errno that is not
given is EPERM; two conditions on one argument are alternatives; no flags mean SPEC_ALLOW.  And a system
call that is newer than all that the profile names is answered with ENOSYS, unless the default lets it
pass: libc then tries an older one, where EPERM would end the program.  Unlike in runc this holds for the
native architecture only, the monitor's, but also when the profile lists none.
"""

from __future__ import annotations

from urunc.errors import BundleError, Unsupported
from urunc_common.record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_KEY = "config.json: linux.seccomp"
_EPERM, _ENOSYS, _LAST_ERRNO = 1, 38, 4095
_ALLOW, _LOG, _TRACE, _ERRNO = 0x7FFF0000, 0x7FFC0000, 0x7FF00000, 0x50000
_KILL_PROCESS, _ACTION = 0x80000000, 0xFFFF0000
# A trace does not pass: there is no tracer, and the kernel then answers ENOSYS.
_PASSING = (_ALLOW, _LOG)
# Names of the specification -> numbers of linux/seccomp.h.
ACTIONS = {
    "SCMP_ACT_ALLOW": _ALLOW,
    "SCMP_ACT_ERRNO": _ERRNO,
    "SCMP_ACT_KILL": 0,
    "SCMP_ACT_KILL_PROCESS": _KILL_PROCESS,
    "SCMP_ACT_KILL_THREAD": 0,
    "SCMP_ACT_LOG": _LOG,
    "SCMP_ACT_TRACE": _TRACE,
    "SCMP_ACT_TRAP": 0x30000,
}
FLAGS = {
    "SECCOMP_FILTER_FLAG_TSYNC": 1,
    "SECCOMP_FILTER_FLAG_LOG": 2,
    "SECCOMP_FILTER_FLAG_SPEC_ALLOW": 4,
    # It is about SCMP_ACT_NOTIFY alone, and the kernel refuses it without.
    "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV": 0,
}
# Names of the specification -> numbers of libseccomp.
OPERATORS = {
    "SCMP_CMP_NE": 1,
    "SCMP_CMP_LT": 2,
    "SCMP_CMP_LE": 3,
    "SCMP_CMP_EQ": 4,
    "SCMP_CMP_GE": 5,
    "SCMP_CMP_GT": 6,
    "SCMP_CMP_MASKED_EQ": 7,
}
_X32 = 0x40000000
_ONLY_X86 = ("access", "arch_prctl")


class Condition(Record):
    """What must hold of one argument of a system call."""

    index: int
    op: str
    value: int
    value_two: int = 0


class Rule(Record):
    """What happens to some system calls, if all conditions hold."""

    names: tuple[str, ...]
    action: str
    errno: int | None = None
    conditions: tuple[Condition, ...] = ()


class Profile(Record):
    """linux.seccomp; `flags` is None where it says nothing about them."""

    default_action: str
    default_errno: int | None = None
    architectures: tuple[str, ...] = ()
    flags: tuple[str, ...] | None = None
    rules: tuple[Rule, ...] = ()


class Filter(Record):
    """A profile in the numbers of kernel and libseccomp; a rule has names, an action and conditions."""

    default: int
    architectures: tuple[str, ...] = ()
    flags: int = 0
    rules: tuple[tuple[tuple[str, ...], int, tuple[tuple[int, int, int, int], ...]], ...] = ()

    @property
    def refuses_newer(self) -> bool:
        """Whether system calls newer than all that it names get ENOSYS."""
        return self.default not in _PASSING and self.default & _ACTION != _TRACE


def translate(profile: Profile) -> Filter:
    """Check every word of a profile.  Raises BundleError, or Unsupported for what is not served."""
    flags = ("SECCOMP_FILTER_FLAG_SPEC_ALLOW",) if profile.flags is None else profile.flags
    return Filter(
        _action(profile.default_action, profile.default_errno),
        tuple(name.removeprefix("SCMP_ARCH_").lower() for name in profile.architectures),
        sum({_look_up(FLAGS, flag, "flag") for flag in flags}),
        tuple(
            (rule.names, _action(rule.action, rule.errno), alternative)
            for rule in profile.rules
            for alternative in _alternatives(rule)
        ),
    )


def stack(profile: Filter, own: tuple[str, ...]) -> tuple[Filter, ...]:
    """What to load, in order: `own` is all that a monitor may call that does not shut itself in."""
    found = []
    if own:
        # First, since the profile need not allow seccomp, but this one does.  The kernel logs whom it kills.
        found.append(Filter(_KILL_PROCESS, rules=((own, _ALLOW, ()),)))
    if any(action != _ALLOW for action in (profile.default, *(action for _, action, _ in profile.rules))):
        found.append(profile)
    return tuple(found)


def forbidden(profile: Filter, needed: frozenset[str]) -> tuple[str, ...]:
    """Which of these system calls never succeed; one that some arguments make succeed counts as allowed."""
    # libseccomp takes the first rule without conditions, whatever stands before and behind it.
    always: dict[str, int] = {}
    passing = set(needed) if profile.default in _PASSING else set()
    for names, action, conditions in profile.rules:
        named = needed.intersection(names)
        if action != profile.default and not conditions:
            always = {**dict.fromkeys(named, action), **always}
        elif action in _PASSING:
            passing |= named
    allowed = (passing - always.keys()) | {name for name, action in always.items() if action in _PASSING}
    return tuple(sorted(needed - allowed))


def require(profile: Filter, needed: Iterable[str], monitor: str, arch: str) -> None:
    """Refuse a profile under which the monitor cannot run."""
    there = frozenset(name for name in needed if arch == "x86_64" or name not in _ONLY_X86)
    if names := forbidden(profile, there):
        raise Unsupported(
            f"the seccomp profile forbids what {monitor} needs: {', '.join(names)}",
            hint="allow these system calls in the profile, or choose another",
        )


def refuse_newer(program: bytes, architecture: int, last: int) -> bytes:
    """The program, behind instructions that answer ENOSYS to numbers above `last`."""
    return (
        b"".join(
            code.to_bytes(2, "little") + bytes((if_true, if_false)) + value.to_bytes(4, "little")
            for code, if_true, if_false, value in (
                (0x20, 0, 0, 4),  # load the architecture
                (0x15, 0, 4, architecture),  # if it is another one, on to the program
                (0x20, 0, 0, 0),  # load the number
                (0x35, 2, 0, _X32),  # at or above: on to the program
                (0x25, 0, 1, last),  # not above: on to the program
                (0x06, 0, 0, _ERRNO | _ENOSYS),
            )
        )
        + program
    )


def _action(name: str, errno: int | None) -> int:
    if name == "SCMP_ACT_NOTIFY":
        raise Unsupported(
            f"{_KEY} asks for SCMP_ACT_NOTIFY, but no agent decides on the system calls of a monitor",
            hint="use a profile without it",
        )
    number = _look_up(ACTIONS, name, "action")
    if number not in (_ERRNO, _TRACE):
        return number
    if errno is not None and not 0 <= errno <= _LAST_ERRNO:
        raise BundleError(f"{_KEY}: {errno} is no error number")
    return number | (_EPERM if errno is None else errno)


def _alternatives(rule: Rule) -> tuple[tuple[tuple[int, int, int, int], ...], ...]:
    conditions = tuple(map(_condition, rule.conditions))
    if len({condition[0] for condition in conditions}) < len(conditions):
        return tuple((condition,) for condition in conditions)
    return (conditions,)


def _condition(condition: Condition) -> tuple[int, int, int, int]:
    operator = _look_up(OPERATORS, condition.op, "operator")
    if not 0 <= condition.index < 6:
        raise BundleError(f"{_KEY}: a system call has no argument {condition.index}")
    for value in (condition.value, condition.value_two):
        if not 0 <= value < 1 << 64:
            raise BundleError(f"{_KEY}: {value} is no value of an argument")
    return condition.index, operator, condition.value, condition.value_two


def _look_up(table: dict[str, int], name: str, what: str) -> int:
    if name not in table:
        raise BundleError(f"{_KEY}: unknown {what} {name!r}", hint=f"known: {', '.join(table)}")
    return table[name]
