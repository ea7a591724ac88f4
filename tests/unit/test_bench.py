# SPDX-License-Identifier: Apache-2.0
"""The arithmetic of scripts/bench, and what it makes of what was measured."""

import sys
import xml.etree.ElementTree as Xml

import pytest
from capabilities import ROOT

sys.path.append(str(ROOT / "bench"))

import picture
import run
import samples
from goals import GOALS, PSS_KIB


def cycle(**seconds):
    return {verb: {name: [value] * 3 for name, value in seconds.items()} for verb in run.VERBS}


def test_a_ratio_has_the_spread_of_the_times_and_the_median_of_the_base():
    found = samples.ratio([float(value) for value in range(11)], [2.0, 1.0, 100.0])
    assert found == pytest.approx((0.5, 2.5, 4.5))
    assert str(samples.Ratio(0.123, 1, 2.5)) == "1.00 (0.12-2.50)"


def test_the_whole_cycle_is_summed_round_by_round():
    assert samples.sums([[1.0, 2.0], [10.0, 20.0]]) == [11.0, 22.0]


@pytest.mark.parametrize(("ours", "met"), [(0.4, True), (0.5, False)])
def test_a_goal_is_met_or_missed_by_the_ratio_in_the_same_run(ours, met):
    verdicts = run.judge({"v2 minimal": cycle(runc=1.0, crun=1.0, urunc=ours)})
    assert {words: yes for yes, words in verdicts}[
        f"v2 minimal, create: {ours:.2f} x runc, at most 0.45"
    ] is met


def test_the_best_of_the_others_is_what_some_goals_compare_with():
    found = {"first answer": {"urunc": [1.0], "microvm": [0.9], "pc": [2.0]}}
    assert run.judge(found) == [(False, "first answer, first answer: 1.11 x microvm, at most 1.05")]


def test_memory_is_a_goal_of_its_own():
    found = {"v2 memory": {"urunc": {"created_pss_kib": PSS_KIB + 1}}}
    assert [met for met, _ in run.judge(found)] == [False]


def test_every_goal_is_measured():
    assert {goal.measurement for goal in GOALS} <= set(run.MEASUREMENTS)


def test_the_picture_has_a_bar_for_each_runtime_and_a_part_for_each_verb():
    drawn = Xml.fromstring(picture.draw(run.bars({"v2 minimal": cycle(runc=1.0, urunc=2.0)})))
    titles = [title.text for title in drawn.iter("{http://www.w3.org/2000/svg}title")]
    assert titles == [f"{verb} {value}" for value in ("0.20", "0.40") for verb in run.VERBS]
