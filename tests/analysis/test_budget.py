"""Budgets: how they are read, and the verdict on what was spent."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_twin.analysis.budgets.budget import (
    OK,
    OVER,
    UNKNOWN,
    Budget,
    BudgetLimit,
    Percentiles,
    ResourceUsage,
    judge_run,
    verdict_cell,
    verdict_of_cell,
)
from pytest_twin.analysis.budgets.parser import KEYWORDS, BudgetError, merge_layers, parse
from pytest_twin.loads.parser import parse_load
from pytest_twin.stressors import find_kinds


def read(**keywords):
    return parse(keywords, lambda load: parse_load(load, find_kinds()))


def errors(**keywords):
    with pytest.raises(BudgetError) as caught:
        read(**keywords)
    return caught.value.problems


def test_limits_are_read_into_seconds_bytes_and_counts():
    budget = read(cpu_seconds=2, duration="500ms", peak_memory="200MiB", read="10MB", children=0, major_faults=3)
    assert budget == Budget(
        {
            "cpu_seconds": BudgetLimit(2.0, "2"),
            "duration": BudgetLimit(0.5, "500ms"),
            "peak_memory": BudgetLimit(200 * 2**20, "200MiB"),
            "read": BudgetLimit(10e6, "10MB"),
            "children": BudgetLimit(0.0, "0"),
            "major_faults": BudgetLimit(3.0, "3"),
        }
    )


def test_nothing_at_all_may_be_written_without_a_unit():
    assert read(write=0).most["write"].value == 0


def test_percentiles_are_repeated_as_often_as_they_need():
    assert read(p95="200ms", p50=0.1).percentiles == Percentiles(
        {0.95: BudgetLimit(0.2, "200ms"), 0.5: BudgetLimit(0.1, "0.1")}, 72
    )
    assert read(p50=1, repeats=6).percentiles.repeats == 6
    assert errors(p50=1, p99=1, repeats=20) == [
        ("repeats", "20 repetitions are too few for p99; at least 368 are needed")
    ]
    assert errors(repeats=20) == [("repeats", 'needs p95=, what most of them may take, such as p95="200ms"')]
    assert errors(p50=1, repeats=0) == [("repeats", "0 is not a whole number from 1 to 10000")]


def test_a_slowdown_has_a_load_and_pairs():
    slowdown = read(slowdown=2.0, under="cpu=75%  mem=1GiB").slowdown
    assert (slowdown.limit, slowdown.pairs) == (2.0, 10)
    assert str(slowdown.under) == "cpu=75% mem=1GiB"
    assert read(slowdown=1.5, under="cpu=2", pairs=20).slowdown.under.parts[0].unit == "count"


def test_a_load_with_colons_is_read_and_printed_with_equals_signs():
    assert str(read(slowdown=2, under="cpu:75% mem:1GiB").slowdown.under) == "cpu=75% mem=1GiB"
    assert str(read(slowdown=2, under="cpu:75%\tconstrain  cpu:0.5").slowdown.under) == "cpu=75% constrain cpu=0.5"


def test_a_load_may_have_words_that_are_true_or_false():
    found = read(slowdown=2, under="mem=1GiB strict=true")
    assert [part.strict for part in found.slowdown.under.parts] == [True]


@pytest.mark.parametrize(
    ("keywords", "problem"),
    [
        ({"cpu_second": 2}, ("", 'unknown keyword "cpu_second"; did you mean "cpu_seconds"?')),
        (
            {"cpu_seconds": "much"},
            ("cpu_seconds", '\'much\' is not a duration; write seconds, or text such as "500ms" or "1m30s"'),
        ),
        ({"peak_memory": 200}, ("peak_memory", '200 is not a size; write one such as "200MiB"')),
        ({"peak_memory": True}, ("peak_memory", 'True is not an amount; give a size such as "200MiB"')),
        ({"read": "10%"}, ("read", "'10%' is not a size; write one such as \"200MiB\"")),
        (
            {"children": 2},
            ("children", "2 is not 0; the number of child processes cannot be counted, only whether there were any"),
        ),
        ({"context_switches": 1.5}, ("context_switches", "1.5 is not a whole number from 0")),
        (
            {"slowdown": 0.5, "under": "cpu=1"},
            ("slowdown", "0.5 is not a factor from 1, such as 1.5: half as slow again"),
        ),
        (
            {"slowdown": 2, "under": "cpu=1", "pairs": 5},
            ("pairs", "5 is not a whole number from 6, the minimum for a verdict, to 1000"),
        ),
        ({"slowdown": 2}, ("slowdown", 'needs under=, the load that may cause it, such as under="cpu=75%"')),
        (
            {"under": "cpu=1"},
            ("under", "needs slowdown=, the factor by which the test may be slower, such as slowdown=2"),
        ),
        ({"pairs": 6}, ("pairs", "needs slowdown=, the factor by which the test may be slower, such as slowdown=2")),
        (
            {"slowdown": 2, "under": "75%"},
            ("under", '\'75%\' is not a load; write one such as "cpu=75%", "cpu=50% mem=1GiB" or "constrain cpu=0.5"'),
        ),
        (
            {"slowdown": 2, "under": "cpu=150%"},
            ("under: cpu", '"150%" is over 100%; give 0-100%'),
        ),
        (
            {"slowdown": 2, "under": "cpus=1"},
            (
                "under",
                '"cpus" is a keyword of constraints, not of loads; use --twin-constrain cpus=1 or the mark constrain',
            ),
        ),
        ({"slowdown": 2, "under": "cpu=1 cpu=2"}, ("under", "'cpu=1 cpu=2' has cpu twice")),
        (
            {"slowdown": 2, "under": "constrain cpu=x"},
            (
                "under: constrain: cpu",
                "'x' is not an amount; give a number of CPUs such as 0.5, or a share such as \"25%\"",
            ),
        ),
        ({"slowdown": 2, "under": "cpu=0"}, ("under", "'cpu=0' applies no load")),
    ],
)
def test_what_is_wrong_says_where_and_what(keywords, problem):
    assert errors(**keywords) == [problem]


def test_everything_that_is_wrong_is_told_at_once():
    assert [key for key, _ in errors(duration=-1, reed="1MB", children=True)] == ["duration", "", "children"]


@given(st.dictionaries(st.sampled_from(KEYWORDS), st.none() | st.integers() | st.floats() | st.text() | st.booleans()))
def test_whatever_is_written_is_a_budget_or_a_problem(keywords):
    with suppress(BudgetError):
        parse(keywords, lambda load: parse_load(load, find_kinds()))


def test_of_several_layers_the_last_counts_limit_by_limit():
    assert merge_layers([{"duration": 1, "read": "1MB"}, {"duration": 2}, {"read": None}]) == {"duration": 2}


def verdicts(budget: Budget, spent: ResourceUsage) -> list[tuple[str, str]]:
    return [(finding.limit, finding.verdict) for finding in judge_run(budget, spent)]


def test_what_is_exactly_the_limit_is_within():
    budget = read(cpu_seconds=2, major_faults=0)
    assert verdicts(budget, ResourceUsage(cpu_seconds=2.0, major_faults=0)) == [
        ("cpu_seconds", OK),
        ("major_faults", OK),
    ]
    assert verdicts(budget, ResourceUsage(cpu_seconds=2.0001, major_faults=1)) == [
        ("cpu_seconds", OVER),
        ("major_faults", OVER),
    ]


def test_what_is_not_known_is_neither_within_nor_over():
    assert verdicts(read(peak_memory="1GiB"), ResourceUsage()) == [("peak_memory", UNKNOWN)]


def test_a_finding_says_what_was_measured_and_what_is_allowed_in_the_unit_of_the_limit():
    budget = read(cpu_seconds=2, peak_memory="200MB", children=0, context_switches=10)
    spent = ResourceUsage(cpu_seconds=2.31, peak_memory=210.4e6, children=1, context_switches=12)
    assert [finding.text for finding in judge_run(budget, spent)] == [
        "cpu_seconds 2.31 s exceeds the limit of 2 s",
        "peak_memory 210.4MB exceeds the limit of 200.0MB",
        "children: the test started a child process, but none is allowed",
        "context_switches 12 exceeds the limit of 10",
    ]


def test_a_value_that_looks_like_its_limit_is_said_to_be_a_little_over():
    [finding] = judge_run(read(duration=1), ResourceUsage(duration=1.00001))
    assert finding.text == "duration slightly exceeds the limit of 1 s"


@pytest.mark.parametrize(
    ("seconds", "limit", "text"),
    [
        (0.05119, 0.01, "duration 51 ms exceeds the limit of 10 ms"),
        (0.00251, 0.00002, "duration 2.5 ms exceeds the limit of 20 µs"),
        (1234.5, 60, "duration 1234 s exceeds the limit of 60 s"),
        (0.000004, 0, "duration 4.0 µs exceeds the limit of 0 s"),
        (0.2504, 0.25, "duration slightly exceeds the limit of 250 ms"),
        (0.25, 0.25, ""),
    ],
)
def test_times_are_said_in_the_unit_that_people_read(seconds, limit, text):
    [finding] = judge_run(read(duration=limit), ResourceUsage(duration=seconds))
    assert finding.text == text


def test_a_cell_has_what_is_not_as_it_should_be():
    findings = judge_run(read(cpu_seconds=2, duration=1, read="1MB"), ResourceUsage(cpu_seconds=2.31, duration=0.5))
    assert verdict_cell(findings) == "cpu_seconds 2.31 s > 2 s; read unknown"
    assert verdict_cell(findings[1:2]) == "ok"
    assert verdict_cell([]) == ""


@pytest.mark.parametrize(
    ("cell", "verdict"),
    [
        ("", ""),
        ("ok", OK),
        ("cpu_seconds 2.31 s > 2 s", OVER),
        ("read unknown", UNKNOWN),
        ("cpu_seconds 2.31 s > 2 s; read unknown", OVER),
        ("children > 0", OVER),
        ("p95 0.1 s ? 0.2 s", UNKNOWN),
        ("a repetition under cpu=2 failed in its call", OVER),
        ("a repetition skipped in its setup", UNKNOWN),
    ],
)
def test_a_cell_tells_the_verdict_on_the_whole_budget(cell, verdict):
    assert verdict_of_cell(cell) == verdict


@given(st.lists(st.sampled_from([("cpu_seconds", 2.31), ("duration", 0.5), ("read", None), ("children", 1)])))
def test_the_verdict_of_a_cell_is_that_of_its_findings(spent):
    budget = read(cpu_seconds=2, duration=1, read="1MB", children=0)
    findings = [each for each in judge_run(budget, ResourceUsage(**dict(spent))) if each.limit in dict(spent)]
    verdicts = {each.verdict for each in findings}
    expected = next((each for each in (OVER, UNKNOWN, OK) if each in verdicts), "")
    assert verdict_of_cell(verdict_cell(findings)) == expected
