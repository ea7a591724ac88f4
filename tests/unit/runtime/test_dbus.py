# SPDX-License-Identifier: Apache-2.0
"""Messages of D-Bus, compared with those of a library."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jeepney import (
    DBusAddress,
    MessageType,
    Parser,
    new_error,
    new_method_call,
    new_method_return,
    new_signal,
)
from jeepney.low_level import HeaderFields

from urunc import dbus
from urunc.dbus import Call

MANAGER = DBusAddress(
    "/org/freedesktop/systemd1", "org.freedesktop.systemd1", "org.freedesktop.systemd1.Manager"
)
PROPERTIES = [
    ("Description", ("s", "a container")),
    ("PIDs", ("au", [4711])),
    ("Delegate", ("b", True)),
    ("MemoryMax", ("t", (1 << 64) - 1)),
    ("AllowedCPUs", ("ay", [7, 2])),
]
TEXTS = st.text(st.characters(blacklist_characters="\0", blacklist_categories=["Cs"]), max_size=20)
VALUES = {
    "s": TEXTS,
    "u": st.integers(0, (1 << 32) - 1),
    "t": st.integers(0, (1 << 64) - 1),
    "b": st.booleans(),
    "ay": st.binary(max_size=9).map(list),
    "au": st.lists(st.integers(0, 99), max_size=5),
    "v": st.one_of(TEXTS.map(lambda text: ("s", text)), st.integers(0, 9).map(lambda number: ("t", number))),
    "(su)": st.tuples(TEXTS, st.integers(0, 99)),
    "a(sv)": st.lists(st.tuples(TEXTS, st.integers(0, 99).map(lambda number: ("u", number))), max_size=4),
}


def call(member, signature, values):
    ours = Call(MANAGER.bus_name, MANAGER.object_path, MANAGER.interface, member, signature, tuple(values))
    return dbus.call(ours, 7)


def reparsed(data):
    """The library's reading of our bytes."""
    parser = Parser()
    parser.add_data(data)
    return parser.get_next_message()


@pytest.mark.parametrize(
    ("member", "signature", "values"),
    [
        ("Subscribe", "", ()),
        ("StopUnit", "ss", ("urunc-c1.scope", "replace")),
        ("StartTransientUnit", "ssa(sv)a(sa(sv))", ("urunc-c1.scope", "fail", PROPERTIES, [])),
        ("SetUnitProperties", "sba(sv)", ("urunc-c1.scope", True, PROPERTIES[3:])),
    ],
)
def test_a_call_has_the_meaning_that_a_library_gives_it(member, signature, values):
    found = reparsed(call(member, signature, values))
    fields = found.header.fields
    assert found.header.message_type is MessageType.method_call
    assert found.header.serial == 7
    assert fields[HeaderFields.member] == member
    assert fields[HeaderFields.destination] == MANAGER.bus_name
    assert fields.get(HeaderFields.signature, "") == signature
    assert plain(found.body) == plain(values)


def plain(value):
    """Bytes and lists of numbers, tuples and lists, are the same on the wire."""
    if isinstance(value, (bytes, list, tuple)):
        return [plain(one) for one in value]
    return value


def test_the_bytes_are_those_of_the_library():
    values = ("urunc-c1.scope", "fail", [*PROPERTIES[:2], ("Delegate", ("b", True))], [])
    signature = "ssa(sv)a(sa(sv))"
    theirs = new_method_call(MANAGER, "StartTransientUnit", signature, values).serialise(serial=7)
    ours = call("StartTransientUnit", signature, values)
    # The fields of a header may come in any order, so it is the length, the body, and the fields as a set.
    assert len(ours) == len(theirs)
    size = int.from_bytes(ours[4:8], "little")
    assert ours[-size:] == theirs[-size:]
    assert reparsed(ours).header.fields == reparsed(theirs).header.fields


@given(st.lists(st.sampled_from(sorted(VALUES)), max_size=5), st.data())
def test_any_values_come_out_of_the_library_as_they_went_in(kinds, data):
    values = [data.draw(VALUES[kind]) for kind in kinds]
    found = reparsed(call("Try", "".join(kinds), values))
    assert plain(found.body) == plain(values)


@given(st.lists(st.sampled_from(sorted(VALUES)), max_size=5), st.data())
def test_what_the_library_says_is_understood(kinds, data):
    values = [data.draw(VALUES[kind]) for kind in kinds]
    message = new_signal(MANAGER, "JobRemoved", "".join(kinds) or None, tuple(values))
    bytes_ = message.serialise(serial=9)
    assert dbus.length(bytes_[: dbus.HEAD]) == len(bytes_)
    found = dbus.parse(bytes_)
    assert (found.kind, found.member) == (dbus.SIGNAL, "JobRemoved")
    assert plain(found.values) == plain(unwrapped(kinds, values))


def unwrapped(kinds, values):
    """A variant is read as its value alone."""
    found = []
    for kind, value in zip(kinds, values, strict=True):
        if kind == "v":
            found.append(value[1])
        elif kind == "a(sv)":
            found.append([(name, variant[1]) for name, variant in value])
        else:
            found.append(value)
    return found


def test_replies_and_errors_say_what_they_answer():
    asked = reparsed(call("StopUnit", "ss", ("a", "b")))
    answered = dbus.parse(new_method_return(asked, "o", ("/job/1",)).serialise(serial=1))
    assert (answered.kind, answered.reply_to, answered.values) == (dbus.METHOD_RETURN, 7, ("/job/1",))
    failed = dbus.parse(new_error(asked, "org.x.NoSuchUnit", "s", ("no such unit",)).serialise(serial=1))
    assert (failed.kind, failed.reply_to, failed.error) == (dbus.ERROR, 7, "org.x.NoSuchUnit")
    assert failed.values == ("no such unit",)


def test_the_types_of_a_signature_are_told_apart():
    assert dbus.types("ssa(sv)a(sa(sv))b") == ["s", "s", "a(sv)", "a(sa(sv))", "b"]
    assert dbus.types("a{sv}aau") == ["a{sv}", "aau"]


def test_a_message_of_the_other_kind_of_machine_is_refused():
    with pytest.raises(ValueError, match="only little-endian"):
        dbus.parse(b"B" + bytes(15))


def test_an_array_that_is_longer_than_its_message_is_refused():
    data = bytearray(new_signal(MANAGER, "JobRemoved").serialise(serial=9))
    data[12:16] = (1 << 20).to_bytes(4, "little")
    with pytest.raises(ValueError, match="an array ends behind its message"):
        dbus.parse(bytes(data))
