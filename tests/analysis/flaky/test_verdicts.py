"""The verdicts on tests from counted runs."""

from __future__ import annotations

import pytest

from pytest_twin.analysis.flaky.conditions import IDLE, conditions
from pytest_twin.analysis.flaky.tally import FAILED, PASSED, SKIPPED, RunResult, Tally
from pytest_twin.analysis.flaky.verdicts import hold_bound, judge, q_values
from pytest_twin.model.flaky_row import BREAKS, BY_CHANCE, HOLDS, NOT_ALONE, NOT_KNOWN

LADDER = conditions(2)
AT = {str(each): each for each in LADDER}


def tally(failures, passes, hints=0, beside=0):
    found = Tally()
    for outcome, count, is_alone in (
        (FAILED, failures, True), (PASSED, passes, True), (FAILED, hints, False), (PASSED, beside, False),
    ):  # fmt: skip
        for _ in range(count):
            found.add(RunResult(outcome, is_alone))
    return found


def verdict_on(idle, **counts):
    names = {"half": "constrain cpu=0.5", "quarter": "constrain cpu=0.25", "tenth": "constrain cpu=0.1"}
    of_test = {IDLE: tally(*idle)} | {AT[names[name]]: tally(*count) for name, count in counts.items()}
    return judge({"t": of_test}, LADDER)[0]


def test_a_test_breaks_under_the_mildest_condition_that_is_significant():
    verdict = verdict_on((0, 12), half=(0, 5), quarter=(6, 0), tenth=(5, 0))
    assert (verdict.word, str(verdict.decisive)) == (BREAKS, "constrain cpu=0.25")
    assert [str(each) for each in verdict.breaking] == ["constrain cpu=0.25", "constrain cpu=0.1"]


def test_p_values_are_those_of_fisher_and_corrected_for_all_pairs():
    verdict = verdict_on((0, 8), half=(0, 3), quarter=(5, 0))
    quarter = AT["constrain cpu=0.25"]
    assert verdict.p_values[quarter] == pytest.approx(1 / 1287)
    assert verdict.q_values[quarter] == pytest.approx(2 / 1287)


def test_q_values_are_those_of_benjamini_and_hochberg():
    found = q_values({("a", IDLE): 0.01, ("b", IDLE): 0.04, ("c", IDLE): 0.03, ("d", IDLE): 0.5})
    assert [found[test, IDLE] for test in "abcd"] == pytest.approx([0.04, 0.16 / 3, 0.16 / 3, 0.5])


def test_a_test_that_fails_now_and_then_everywhere_is_flaky_by_itself():
    verdict = verdict_on((3, 12), half=(1, 4), quarter=(2, 6))
    assert (verdict.word, verdict.decisive) == (BY_CHANCE, IDLE)


def test_a_test_that_fails_idle_too_may_break_all_the_same():
    assert verdict_on((1, 19), quarter=(10, 0)).word == BREAKS


def test_a_test_that_often_fails_idle_is_not_accused_of_a_streak_of_failures():
    assert verdict_on((4, 8), quarter=(8, 0)).word == BY_CHANCE
    assert verdict_on((4, 26), quarter=(15, 0)).word == BREAKS


def test_a_few_failures_are_not_enough_for_an_accusation():
    verdict = verdict_on((0, 4), quarter=(2, 1))
    assert (verdict.word, str(verdict.decisive), verdict.reason) == (NOT_KNOWN, "constrain cpu=0.25", "")


def test_a_failure_beside_other_tests_accuses_nobody():
    verdict = verdict_on((0, 9), quarter=(0, 0, 5))
    assert (verdict.word, str(verdict.decisive), verdict.reason) == (NOT_KNOWN, "constrain cpu=0.25", "")


def test_failures_beside_other_tests_count_once_the_test_has_failed_alone():
    verdict = verdict_on((0, 3, 0, 4), quarter=(1, 0, 3))
    quarter = AT["constrain cpu=0.25"]
    assert (verdict.word, verdict.decisive) == (BREAKS, quarter)
    assert verdict.p_values[quarter] == pytest.approx(1 / 4 / 35)  # 1 of 4 ways alone, 1 of 35 beside others
    assert (tally(1, 0, 3).failures, tally(1, 0, 3).runs) == (4, 4)


def test_failures_beside_other_tests_are_compared_with_idle_runs_beside_others():
    assert verdict_on((0, 9), quarter=(1, 0, 5)).word == NOT_KNOWN
    assert verdict_on((0, 3, 3, 1), quarter=(1, 0, 5)).word == NOT_KNOWN


def test_passes_beside_other_tests_count_as_long_as_nothing_failed():
    assert tally(0, 1, 0, 4).runs == 5
    assert tally(0, 1, 1, 4).runs == 1


def test_a_test_holds_at_the_harshest_quota_with_enough_runs_and_says_how_surely():
    of_test = {IDLE: tally(0, 2), AT["constrain cpu=0.25"]: tally(0, 2), AT["constrain cpu=0.1"]: tally(0, 10)}
    verdict = judge({"t": of_test}, LADDER)[0]
    assert (verdict.word, str(verdict.decisive)) == (HOLDS, "constrain cpu=0.1")
    assert hold_bound(of_test, verdict.decisive) == pytest.approx(1 - 0.05**0.1)
    assert hold_bound(of_test, AT["constrain cpu=0.25"]) == pytest.approx(1 - 0.05 ** (1 / 12))


@pytest.mark.parametrize(
    ("of_test", "word", "reason"),
    [
        ({}, NOT_KNOWN, "not run"),
        ({IDLE: tally(6, 0)}, NOT_ALONE, ""),
        ({IDLE: tally(1, 0)}, NOT_KNOWN, "no run idle passed"),
        ({IDLE: tally(0, 5)}, NOT_KNOWN, "too few runs"),
    ],
)
def test_a_test_without_runs_under_conditions_is_not_accused(of_test, word, reason):
    verdict = judge({"t": of_test}, LADDER)[0]
    assert (verdict.word, verdict.reason) == (word, reason)


def test_a_skipped_test_is_not_known():
    skipped = Tally()
    skipped.add(RunResult(SKIPPED))
    assert judge({"t": {IDLE: skipped}}, LADDER)[0].reason == "skipped"
