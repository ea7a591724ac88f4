# SPDX-License-Identifier: Apache-2.0
"""What a seccomp profile means, without compiling it."""

import json

import profiles
import pytest

from urunc import bundle as bundles
from urunc import monitors, seccomp
from urunc.errors import BundleError, Unsupported
from urunc.seccomp import Condition, Filter, Profile, Rule
from urunc_common import rules

ALLOW, LOG, TRACE, TRAP, EPERM, ENOSYS = 0x7FFF0000, 0x7FFC0000, 0x7FF00000, 0x30000, 0x50001, 0x50026
KILL_PROCESS = 0x80000000


def load(profile):
    spec = {"root": {"path": "r"}, "linux": {"seccomp": profile}}
    return bundles.from_text(json.dumps(spec), "/b").seccomp_profile


def test_a_profile_is_read_word_by_word():
    condition = {"index": 1, "value": 2, "valueTwo": 3, "op": "SCMP_CMP_GT"}
    rule = {"names": ["a", "b"], "action": "SCMP_ACT_ERRNO", "errnoRet": 7, "args": [condition]}
    found = load({
        "defaultAction": "SCMP_ACT_KILL", "defaultErrnoRet": 4, "architectures": ["SCMP_ARCH_ARM"],
        "flags": [], "syscalls": [rule],
    })  # fmt: skip
    expected = Rule(("a", "b"), "SCMP_ACT_ERRNO", 7, (Condition(1, "SCMP_CMP_GT", 2, 3),))
    assert found == Profile("SCMP_ACT_KILL", 4, ("SCMP_ARCH_ARM",), (), (expected,))


@pytest.mark.parametrize("profile", [None, {}, {"defaultAction": ""}, {"syscalls": []}])
def test_a_profile_that_says_nothing_is_none(profile):
    assert load(profile) is None


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        ({"defaultAction": 1}, "linux.seccomp.defaultAction must be of type str, not int"),
        ({"syscalls": [1]}, r"linux.seccomp.syscalls\[0\] is not an object"),
        ({"syscalls": [{"names": "read"}]}, r"linux.seccomp.syscalls\[0\].names must be of type list"),
        ({"syscalls": [{"args": [{"value": "1"}]}]}, r"syscalls\[0\].args\[0\].value must be of type int"),
    ],
)
def test_a_profile_of_another_form_is_refused(profile, said):
    with pytest.raises(BundleError, match=said):
        load(profile)


@pytest.mark.parametrize(
    ("action", "errno", "number"),
    [
        ("SCMP_ACT_ALLOW", None, ALLOW),
        ("SCMP_ACT_ALLOW", 5, ALLOW),
        ("SCMP_ACT_LOG", None, LOG),
        ("SCMP_ACT_ERRNO", None, EPERM),
        ("SCMP_ACT_ERRNO", 0, 0x50000),
        ("SCMP_ACT_ERRNO", 38, ENOSYS),
        ("SCMP_ACT_TRACE", None, TRACE | 1),
        ("SCMP_ACT_TRACE", 38, TRACE | 38),
        ("SCMP_ACT_TRAP", 3, TRAP),
        ("SCMP_ACT_KILL", None, 0),
        ("SCMP_ACT_KILL_THREAD", None, 0),
        ("SCMP_ACT_KILL_PROCESS", None, KILL_PROCESS),
    ],
)
def test_an_action_is_a_number_of_the_kernel(action, errno, number):
    assert seccomp.translate(Profile(action, errno)).default == number
    rule = Rule(("a",), action, errno)
    assert seccomp.translate(Profile("SCMP_ACT_LOG", rules=(rule,))).rules == ((("a",), number, ()),)


@pytest.mark.parametrize(
    ("flags", "number"),
    [
        (None, 4),
        ((), 0),
        (("SECCOMP_FILTER_FLAG_TSYNC",), 1),
        (("SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_LOG"), 6),
        (("SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",), 0),
    ],
)
def test_flags_are_what_the_profile_says_and_spec_allow_where_it_does_not(flags, number):
    assert seccomp.translate(Profile("SCMP_ACT_LOG", flags=flags)).flags == number


def test_architectures_get_libseccomps_names():
    names = ("SCMP_ARCH_X86_64", "SCMP_ARCH_MIPS64N32")
    assert seccomp.translate(Profile("SCMP_ACT_LOG", architectures=names)).architectures == (
        "x86_64", "mips64n32",
    )  # fmt: skip


def test_conditions_on_different_arguments_must_all_hold_and_on_the_same_one_any():
    one, two, three = (Condition(index, "SCMP_CMP_EQ", value) for index, value in ((0, 5), (1, 6), (0, 7)))
    both = Rule(("a",), "SCMP_ACT_ALLOW", conditions=(one, two))
    either = Rule(("a",), "SCMP_ACT_ALLOW", conditions=(one, three))
    assert seccomp.translate(Profile("SCMP_ACT_ERRNO", rules=(both, either))).rules == (
        (("a",), ALLOW, ((0, 4, 5, 0), (1, 4, 6, 0))),
        (("a",), ALLOW, ((0, 4, 5, 0),)),
        (("a",), ALLOW, ((0, 4, 7, 0),)),
    )


def of_condition(*values):
    return Profile("SCMP_ACT_LOG", rules=(Rule(("a",), "SCMP_ACT_ALLOW", conditions=(Condition(*values),)),))


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        (Profile(""), "unknown action ''"),
        (Profile("SCMP_ACT_NO"), "unknown action 'SCMP_ACT_NO'"),
        (Profile("SCMP_ACT_LOG", rules=(Rule(("a",), "ALLOW"),)), "unknown action 'ALLOW'"),
        (Profile("SCMP_ACT_LOG", flags=("TSYNC",)), "unknown flag 'TSYNC'"),
        (Profile("SCMP_ACT_ERRNO", 4096), "4096 is no error number"),
        (Profile("SCMP_ACT_ERRNO", -1), "-1 is no error number"),
        (of_condition(0, "EQ", 1), "unknown operator 'EQ'"),
        (of_condition(6, "SCMP_CMP_EQ", 1), "has no argument 6"),
        (of_condition(0, "SCMP_CMP_EQ", 1 << 64), "18446744073709551616 is no value of an argument"),
        (of_condition(0, "SCMP_CMP_EQ", 1, -1), "-1 is no value of an argument"),
    ],
)
def test_a_word_that_nobody_knows_is_refused(profile, said):
    with pytest.raises(BundleError, match=said):
        seccomp.translate(profile)


@pytest.mark.parametrize(
    "profile",
    [Profile("SCMP_ACT_NOTIFY"), Profile("SCMP_ACT_LOG", rules=(Rule(("a",), "SCMP_ACT_NOTIFY"),))],
)
def test_notify_is_not_served(profile):
    with pytest.raises(Unsupported, match="asks for SCMP_ACT_NOTIFY, but no agent"):
        seccomp.translate(profile)


IF = ((0, 4, 1, 0),)


@pytest.mark.parametrize(
    ("default", "found", "forbidden"),
    [
        (ALLOW, (), ()),
        (LOG, (), ()),
        (EPERM, (), ("a", "b")),
        (TRACE | 1, (), ("a", "b")),
        (EPERM, ((("a",), ALLOW, ()),), ("b",)),
        (EPERM, ((("a", "b"), LOG, ()),), ()),
        (ALLOW, ((("a",), KILL_PROCESS, ()),), ("a",)),
        (ALLOW, ((("a",), EPERM, IF),), ()),
        (EPERM, ((("a",), ALLOW, IF),), ("b",)),
        (EPERM, ((("a",), ALLOW, ()), (("a",), ENOSYS, ())), ("b",)),
        (EPERM, ((("a",), ENOSYS, ()), (("a",), ALLOW, ())), ("a", "b")),
        (EPERM, ((("a",), ALLOW, IF), (("a",), ENOSYS, ())), ("a", "b")),
        (EPERM, ((("a",), ENOSYS, ()), (("a",), ALLOW, IF)), ("a", "b")),
        (EPERM, ((("a",), EPERM, ()), (("a",), ALLOW, ())), ("b",)),
        (ALLOW, ((("a",), ALLOW, ()), (("a",), EPERM, ())), ("a",)),
    ],
)
def test_what_a_filter_forbids(default, found, forbidden):
    assert seccomp.forbidden(Filter(default, rules=found), frozenset("ab")) == forbidden


@pytest.mark.parametrize("name", rules.MONITORS)
@pytest.mark.parametrize("profile", [profiles.DOCKER, profiles.PODMAN, profiles.EVERYTHING])
def test_no_monitor_is_refused_under_the_default_profile_of_an_engine(name, profile):
    monitor = monitors.load(name)
    seccomp.require(seccomp.translate(load(profile)), monitor.NEEDED, name, "x86_64")


@pytest.mark.parametrize("name", rules.MONITORS)
def test_a_monitor_says_what_it_calls_in_order_and_the_exec_is_part_of_it(name):
    monitor = monitors.load(name)
    assert "execve" in monitor.NEEDED
    for names in (monitor.NEEDED, monitor.ALLOWED):
        assert list(names) == sorted(set(names))
    if monitor.ALLOWED:
        assert set(monitor.NEEDED) <= set(monitor.ALLOWED)
        assert "seccomp" in monitor.ALLOWED, "the profile is loaded under it"


@pytest.mark.parametrize(
    ("arch", "said"), [("x86_64", "needs: access, execve;"), ("aarch64", "needs: execve;")]
)
def test_what_is_missing_is_named_with_the_monitor(arch, said):
    with pytest.raises(Unsupported) as caught:
        seccomp.require(Filter(EPERM), ("access", "execve"), "qemu", arch)
    assert f"the seccomp profile forbids what qemu {said}" in caught.value.sentence


def test_a_monitor_without_a_filter_of_its_own_gets_ours_below_the_profile():
    own = Filter(KILL_PROCESS, rules=((("read", "seccomp"), ALLOW, ()),))
    assert seccomp.stack(Filter(EPERM), ("read", "seccomp")) == (own, Filter(EPERM))
    assert seccomp.stack(Filter(EPERM), ()) == (Filter(EPERM),)


def test_a_profile_that_allows_everything_is_not_loaded():
    everything = Filter(ALLOW, rules=((("a",), ALLOW, ()),))
    assert seccomp.stack(everything, ()) == ()
    assert seccomp.stack(Filter(LOG), ()) == (Filter(LOG),)
    for rule in ((("a",), LOG, ()), (("a",), 0, ())):
        assert len(seccomp.stack(Filter(ALLOW, rules=(rule,)), ())) == 1


@pytest.mark.parametrize(
    ("default", "refuses"),
    [(ALLOW, False), (LOG, False), (TRACE | 1, False), (EPERM, True), (TRAP, True), (0, True)],
)
def test_newer_system_calls_are_refused_unless_the_default_lets_them_pass(default, refuses):
    assert Filter(default).refuses_newer is refuses


def execute(program, arch, number):
    """What a program of the few instructions that we write ourselves returns."""
    instructions = [program[at : at + 8] for at in range(0, len(program), 8)]
    at = accumulator = 0
    while True:
        code, if_true, if_false = int.from_bytes(instructions[at][:2], "little"), *instructions[at][2:4]
        value = int.from_bytes(instructions[at][4:], "little")
        at += 1
        if code == 0x20:
            accumulator = {0: number, 4: arch}[value]
        elif code == 0x06:
            return value
        else:
            holds = {0x15: accumulator == value, 0x25: accumulator > value, 0x35: accumulator >= value}[code]
            at += if_true if holds else if_false


@pytest.mark.parametrize(
    ("arch", "number", "answer"),
    [
        (0xC000003E, 0, ALLOW),
        (0xC000003E, 334, ALLOW),
        (0xC000003E, 335, ENOSYS),
        (0xC000003E, 0x3FFFFFFF, ENOSYS),
        (0xC000003E, 0x40000000, ALLOW),
        (0xC000003E, 0xFFFFFFFF, ALLOW),
        (0x40000003, 400, ALLOW),
    ],
)
def test_only_newer_calls_of_the_native_architecture_get_enosys(arch, number, answer):
    allow = (0x06).to_bytes(4, "little") + ALLOW.to_bytes(4, "little")
    assert execute(seccomp.refuse_newer(allow, 0xC000003E, 334), arch, number) == answer
