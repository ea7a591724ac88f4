# SPDX-License-Identifier: Apache-2.0
"""From lines to a waterfall."""

import json
from xml.etree import ElementTree

import pytest

from urunc import trace
from urunc_common.errors import Error

MS = 1_000_000
# create works for 4 ms and its first process for 3, two of them at the same time; then all wait for a second.
LIFE = [
    ("create", 7, "CR.invoked", 1000),
    ("create", 7, "CR.bundle", 1001),
    ("init", 1, "RX.invoked", 1002),
    ("create", 7, "CR.end", 1004),
    ("init", 1, "RX.pivot", 1005),
    ("start", 8, "ST.invoked", 2005),
    ("init", 1, "RX.woken", 2006),
    ("init", 1, "RX.execve", 2010),
    ("start", 8, "ST.end", 2010),
]


def lines(points=LIFE, container="c1"):
    return [
        json.dumps(
            {"containerID": container, "timestampName": n, "monotonic": at * MS, "process": p, "pid": pid}
        )
        for p, pid, n, at in points
    ]


def waterfall(*texts, container=""):
    return trace.waterfall(trace.parse([line for text in texts for line in text], "times"), container)


def test_a_lane_has_the_phases_of_one_process():
    create, first, start = waterfall(lines()).lanes
    spans = [(span.name, (span.end - span.start) // MS) for span in create.spans]
    assert spans == [("bundle", 1), ("end", 3)]
    assert [span.name for span in first.spans] == ["pivot", "woken", "execve"]
    assert [lane.work // MS for lane in (create, first, start)] == [4, 7, 5]


def test_time_in_which_all_wait_is_cut_out():
    axis = waterfall(lines()).axis
    assert axis.length == 10 * MS
    assert axis.cut == 1000 * MS
    assert axis.place(2006 * MS) == 6 * MS
    assert axis.place(1500 * MS) == axis.place(2005 * MS) == 5 * MS


def test_bars_stand_where_their_time_is():
    rows = trace.text(waterfall(lines())).splitlines()
    bars = {row.split("|")[0].strip(): row.split("|")[1] for row in rows[2:]}
    assert rows[0] == "c1: 10.000 ms, 3 processes; 1000.000 ms in which all waited are cut out"
    assert bars["bundle"] == "#" * 5 + " " * 45
    assert bars["pivot"] == " " * 10 + "#" * 15 + " " * 25
    assert bars["woken"] == " " * 25 + "-" * 5 + " " * 20
    assert bars["first process"] == " " * 10 + "#" * 15 + "-" * 5 + "#" * 20
    assert rows[2].split() == ["create", "|" + "#" * 20, "|", "4.000"]


def test_the_picture_has_the_same_rows_and_hides_nothing_in_its_names():
    found = waterfall(lines([("create", 1, "CR.invoked", 1), ("create", 1, "CR.<image's root>", 2)], "a&b"))
    tree = ElementTree.fromstring(trace.svg(found))
    names = [element.text for element in tree.iter("{http://www.w3.org/2000/svg}title")]
    assert names == ["<image's root>: 1.000 ms"] * 2, "in the lane, and in a row of its own"
    assert "a&b: 1.000 ms" in "".join(tree.itertext())


def test_the_last_life_of_the_last_container_is_shown():
    older = [(process, pid, name, at - 500) for process, pid, name, at in LIFE]
    assert waterfall(lines(older), lines()) == waterfall(lines())
    assert waterfall(lines(container="c2"), lines()).container == "c1"
    assert waterfall(lines(container="c2"), lines(), container="c2").container == "c2"


def test_two_processes_of_the_same_pid_have_a_lane_each():
    kill = [("kill", 9, "kill.invoked", 3000), ("kill", 9, "kill.end", 3001)]
    later = [("kill", 9, "kill.invoked", 3005), ("kill", 9, "kill.end", 3006)]
    assert [lane.process for lane in waterfall(lines([*LIFE, *kill, *later])).lanes][3:] == ["kill", "kill"]


def test_a_life_without_its_beginning_is_shown_as_far_as_it_is_known():
    assert [lane.process for lane in waterfall(lines(LIFE[4:])).lanes] == ["init", "start"]


def test_a_single_point_is_no_phase_yet():
    assert "0.000" in trace.text(waterfall(lines(LIFE[:1])))
    assert trace.svg(waterfall(lines(LIFE[:1])))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{", "times:10 is not valid JSON"),
        ("[" * 100_000, "times:10 is not valid JSON"),
        ("[]", "times:10 is not the record of a phase: containerID must be there, and of type str"),
        ('{"containerID": "c1"}', "times:10 is not the record of a phase: timestampName must be there"),
        (lines(LIFE[:1])[0].replace("1000000000", "true"), "monotonic must be there, and of type int"),
    ],
)
def test_a_broken_line_is_named(line, said):
    with pytest.raises(Error, match=said):
        waterfall(lines(), [line])


def test_what_is_not_there_is_said():
    with pytest.raises(Error, match="nothing is recorded") as empty:
        waterfall()
    assert empty.value.hint == "create one with --timestamps"
    with pytest.raises(Error, match="nothing is recorded of container c9") as unknown:
        waterfall(lines(), container="c9")
    assert unknown.value.hint == "there is c1"
