"""Verdicts of repeated runs."""

from __future__ import annotations

from pytest_twin.analysis.budgets.budget import OK, OVER, UNKNOWN, BudgetLimit, Percentiles, Slowdown
from pytest_twin.analysis.budgets.repetitions import (
    Repetition,
    RunPair,
    format_range,
    percentiles,
    randomized_order,
    slowdown,
)
from pytest_twin.loads.parser import parse_load
from pytest_twin.stressors import find_kinds

ASKED = Slowdown(2.0, parse_load({"cpu": "75%"}, find_kinds()), 8)


def pairs(*ratios, trouble=""):
    achieved = [f"{74.1 + number / 10:.1f}%" for number in range(len(ratios))]
    return [
        RunPair(Repetition(0.1), Repetition(0.1 * each, achieved=(had,), trouble=trouble))
        for each, had in zip(ratios, achieved, strict=True)
    ]


def test_all_of_the_interval_above_the_limit_is_over():
    assert slowdown(ASKED, pairs(2.1, 2.2, 2.3, 2.4, 2.5, 2.6, 2.7, 2.8)) == (
        "slowdown",
        OVER,
        "slowdown 2.44 > 2",
        (
            "slowdown 2.44 (2.2 to 2.7 with 95 % confidence) exceeds the limit of 2; 8 pairs, median "
            "100 ms idle and 240 ms under cpu=75% (achieved 74.4%, from 74.1% to 74.8%)"
        ),
    )


def test_all_of_it_below_is_within():
    assert slowdown(ASKED, pairs(*[1.9] * 8))[1:3] == (OK, "slowdown 1.9 <= 2")


def test_a_limit_within_the_interval_is_inconclusive():
    found = slowdown(ASKED, pairs(1.5, 1.6, 1.7, 1.8, 1.9, 2.0, 2.1, 2.2))
    assert found[1:3] == (UNKNOWN, "slowdown 1.84 ? 2")
    assert found.text.startswith(
        "slowdown 1.84 (1.6 to 2.1 with 95 % confidence) is inconclusive for the limit of 2; 8 pairs,"
    )
    assert found.text.endswith("; more pairs than 8 give a narrower interval")


def test_less_load_than_asked_can_prove_a_slow_test_but_not_a_quick_one():
    quick = slowdown(ASKED, pairs(*[1.1] * 8, trouble="cpu=75%: starved"))
    assert quick.verdict == UNKNOWN
    assert quick.text.endswith("; in 8 of them the load achieved less than requested: cpu=75%: starved")
    assert slowdown(ASKED, pairs(*[3.0] * 8, trouble="starved")).verdict == OVER


def test_a_load_too_short_to_be_judged_by_itself_is_judged_by_all_of_its_times_together():
    def had(share, held_s):
        figures = {"cpu_s": 1.5 * share * held_s, "asked_cpu_s": 1.5 * held_s, "held_s": held_s}
        return [pair._replace(stressed=pair.stressed._replace(figures=(figures,))) for pair in pairs(*[1.1] * 8)]

    starved = slowdown(ASKED, had(0.4, 0.2))
    assert starved.verdict == UNKNOWN
    assert starved.text.endswith(
        "; in all of them together the load achieved less than requested: "
        "cpu=75%: starved: achieved 40 % of the request (0.96 of 2.4 s of CPU time)"
    )
    assert slowdown(ASKED, had(0.9, 0.2)).verdict == OK
    assert slowdown(ASKED, had(0.4, 0.01)).verdict == OK  # in 0.08 s nothing is steady


def test_a_percentile_is_judged_by_its_interval():
    asked = Percentiles({0.5: BudgetLimit(2.5, "2.5")}, 6)
    found = [next(percentiles(asked, [each / 1 for each in range(first, first + 6)])) for first in (3, 0, -5)]
    assert [each.verdict for each in found] == [OVER, UNKNOWN, OK]
    assert found[0].text == "p50 5 s (3 s to 8 s with 95 % confidence) exceeds the limit of 2.5 s; 6 repetitions"
    assert found[1].short == "p50 2 s ? 2.5 s"
    assert found[1].text.endswith("; more repetitions than 6 give a narrower interval")


def test_pairs_are_shuffled_and_those_without_load_are_between_them():
    order = list(randomized_order(10, 14, seed=1))
    assert sorted(map(len, order)) == [1] * 4 + [2] * 10
    assert {each for each in order if len(each) == 2} == {(False, True), (True, False)}
    assert order == list(randomized_order(10, 14, seed=1)) != list(randomized_order(10, 14, seed=2))


def test_what_there_was_of_a_load_is_told_as_a_range():
    assert format_range(["100.1%", "9.5%", "50.0%"]) == "50.0%, from 9.5% to 100.1%"
    assert format_range(["74.9%", "74.9%"]) == "74.9%"
    assert format_range(["", "74.9%", "74.9%"]) == "74.9%, from nothing to 74.9%"
