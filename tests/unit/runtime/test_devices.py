# SPDX-License-Identifier: Apache-2.0
"""Which devices a container may use, as a policy, as lines of version 1, and as a program of version 2."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from urunc import device_filter, devices, resources
from urunc.devices import Policy
from urunc.errors import Unsupported
from urunc.resources import DeviceRule
from urunc.table import Table

NOTHING, EVERYTHING = DeviceRule(allow=False), DeviceRule(allow=True)
ALWAYS = ["b *:* m", "c *:* m", "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm", "c 1:9 rwm", "c 5:0 rwm"]
ALWAYS += ["c 5:1 rwm", "c 5:2 rwm", "c 136:* rwm"]


def allow(kind, major, minor, access="rwm"):
    return DeviceRule(allow=True, kind=kind, major=major, minor=minor, access=access)


def deny(kind, major, minor, access="rwm"):
    return allow(kind, major, minor, access).replace(allow=False)


def lines(asked, granted=(), needed=()):
    return [f"{file[8:]} {text}" for file, text in devices.v1(devices.policy(asked, granted, needed))]


def test_without_rules_a_monitor_has_what_every_program_needs_and_its_own():
    assert lines([], needed=[("c", 10, 232)]) == [
        "deny a",
        *(f"allow {one}" for one in [*ALWAYS, "c 10:232 rwm"]),
    ]


def test_what_the_engine_grants_comes_on_top():
    asked = [NOTHING, allow("b", 8, None, "rw"), allow("b", 8, None, "r")]
    assert lines(asked, granted=[allow("c", 10, 229)])[:4] == [
        "deny a", "allow b 8:* rw", "allow c 10:229 rwm", "allow b *:* m",
    ]  # fmt: skip


def test_a_privileged_container_has_everything():
    assert lines([NOTHING, EVERYTHING]) == []
    assert lines([EVERYTHING, deny("b", 8, 0)]) == ["deny b 8:0 rwm"]


def test_what_is_taken_back_is_gone():
    assert "allow b 8:0 r" in lines([allow("b", 8, 0), deny("b", 8, None, "wm")])
    assert not any("b 8:0" in line for line in lines([allow("b", 8, 0), deny("b", None, None)]))


def test_the_engine_cannot_take_what_the_monitor_needs():
    assert "allow c 10:232 rwm" in lines([deny("c", 10, 232)], needed=[("c", 10, 232)])


def test_dockers_rule_against_fuse_is_no_hole_in_the_right_to_make_nodes():
    assert "allow c *:* m" in lines([allow("c", None, None, "m"), deny("c", 10, 229)])


def test_a_hole_in_what_is_allowed_is_refused():
    with pytest.raises(Unsupported, match=r"takes c 10:229 rwm out of c 10:\* rw, which a cgroup cannot do"):
        lines([allow("c", 10, None, "rw"), deny("c", 10, 229)])


def test_config_json_speaks_of_devices_in_its_own_words():
    parsed = resources.parse(
        Table({"devices": [{"allow": True, "type": "u", "major": 1, "minor": -1}, {"access": "r"}]}, "", "f")
    )
    assert parsed.devices == (allow("c", 1, None), deny("a", None, None, "r"))
    linux = Table(
        {"devices": [{"type": "c", "path": "/dev/x", "major": 9, "minor": 8}, {"type": "p"}]}, "", "f"
    )
    assert resources.granted(linux) == (allow("c", 9, 8),)


def run(program, kind, access, major, minor):
    """What the kernel would do, for the instructions that we have."""
    context = {0: access << 16 | kind, 4: major, 8: minor}
    registers, position = [0] * 10, 0
    while True:
        at = program[position * 8 : position * 8 + 8]
        code, target, source = at[0], at[1] & 15, at[1] >> 4
        offset, value = int.from_bytes(at[2:4], "little"), int.from_bytes(at[4:8], "little")
        position += 1
        match code:
            case 0x61:
                registers[target] = context[offset]
            case 0xBC:
                registers[target] = registers[source]
            case 0xB4:
                registers[target] = value
            case 0x54:
                registers[target] &= value
            case 0x74:
                registers[target] >>= value
            case 0x56:
                position += offset if registers[target] != value else 0
            case 0x16:
                position += offset if registers[target] == value else 0
            case 0x95:
                return bool(registers[0])
            case _:
                raise AssertionError(hex(code))


def expected(policy, kind, access, major, minor):
    letters = {letter for letter, bit in (("m", 1), ("r", 2), ("w", 4)) if access & bit}
    for one in policy.exceptions:
        same = one.kind == kind and one.major in (None, major) and one.minor in (None, minor)
        hit = bool(letters & set(one.access)) if policy.allow else letters <= set(one.access)
        if same and hit:
            return not policy.allow
    return policy.allow


NUMBERS = st.sampled_from([0, 1, 255, (1 << 20) - 1, (1 << 32) - 1])
ACCESS = st.sampled_from(["r", "w", "m", "rw", "rm", "wm", "rwm"])
RULES = st.builds(
    DeviceRule, st.booleans(), st.sampled_from("bc"), st.none() | NUMBERS, st.none() | NUMBERS, ACCESS
)


@given(st.builds(Policy, st.booleans(), st.lists(RULES, max_size=6).map(tuple)), st.data())
def test_the_program_answers_as_the_policy_says(policy, data):
    program = device_filter.program(policy)
    for _ in range(5):
        kind, access = data.draw(st.sampled_from("bc")), data.draw(st.integers(1, 7))
        major, minor = data.draw(NUMBERS), data.draw(NUMBERS)
        answer = run(program, {"b": 1, "c": 2}[kind], access, major, minor)
        assert answer == expected(policy, kind, access, major, minor)
