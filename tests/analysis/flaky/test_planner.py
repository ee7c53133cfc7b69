"""The choice of the runs of a search, on a simulated machine."""

from __future__ import annotations

from collections import Counter
from itertools import starmap

import pytest

from pytest_twin.analysis.flaky.conditions import IDLE, conditions
from pytest_twin.analysis.flaky.planner import PlannedRun, Planner
from pytest_twin.analysis.flaky.tally import FAILED, PASSED, SKIPPED, RunResult
from pytest_twin.analysis.flaky.verdicts import ALONE_RUNS
from pytest_twin.model.flaky_row import BREAKS, BY_CHANCE, HOLDS, NOT_ALONE, NOT_KNOWN
from tests.analysis.flaky.simulated_machine import SimulatedTest, simulate

BUDGET_S = 600.0
QUOTAS = (0.5, 0.25, 0.25, 0.1, 0.05)


def seeded_suite():
    """Return 12 tests that break at a quota, 3 that another family breaks, 12 that hold, 4 that fail by chance."""
    at = {
        f"quota {QUOTAS[number % 5]:g} {number}": SimulatedTest(0.1 + 0.02 * number, 0.05, breaks_at=QUOTAS[number % 5])
        for number in range(12)
    }
    others = {name: SimulatedTest(families={name: 0.9}) for name in ("cpus", "cpu load", "memory")}
    holding = {f"holds {number}": SimulatedTest(0.1 + 0.05 * number, 0.02 * number) for number in range(12)}
    return at | others | holding | {f"chance {rate}": SimulatedTest(rate=rate) for rate in (0.15, 0.25, 0.35, 0.5)}


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 6))])
def test_a_search_finds_what_breaks_and_accuses_no_other_test(seed):
    found = simulate(seeded_suite(), BUDGET_S, seed)
    words = {test: verdict.word for test, verdict in found.verdicts.items()}
    broken = [test for test, word in words.items() if word == BREAKS]
    assert len([test for test in broken if test.startswith("quota")]) >= 11
    assert len([test for test in broken if test in {"cpus", "cpu load", "memory"}]) >= 2
    assert not [test for test in broken if test.startswith(("holds", "chance"))]
    assert sum(words[test] == BY_CHANCE for test in words if test.startswith("chance")) >= 3
    assert Counter(word for test, word in words.items() if test.startswith("holds"))[HOLDS] >= 10


def test_the_mildest_condition_that_breaks_a_test_is_named():
    found = simulate(seeded_suite(), BUDGET_S, seed=7)
    quotas = {test: verdict for test, verdict in found.verdicts.items() if test.startswith("quota")}
    right = [test for test, verdict in quotas.items() if str(verdict.decisive) == f"constrain cpu={test.split()[1]}"]
    assert len(right) >= len(quotas) - 1


def test_a_search_ends_within_its_time():
    found = simulate(seeded_suite(), 60.0)
    assert found.clock_s <= 66.0


def test_a_search_of_a_few_seconds_accuses_nobody_of_anything():
    found = simulate(seeded_suite(), 5.0)
    assert {verdict.word for verdict in found.verdicts.values()} <= {NOT_KNOWN, HOLDS, BY_CHANCE}


def test_many_tests_that_fail_by_chance_are_not_accused():
    tests = {f"chance {number}": SimulatedTest(rate=0.1 + 0.02 * (number % 11)) for number in range(30)}
    verdicts = simulate(tests, BUDGET_S, seed=3).verdicts.values()
    assert not [verdict for verdict in verdicts if verdict.word == BREAKS]


def test_a_test_that_always_fails_idle_is_run_a_few_times_and_no_more():
    found = simulate({"fails": SimulatedTest(rate=1.0)}, BUDGET_S)
    assert found.runs == ALONE_RUNS
    assert found.verdicts["fails"].word == NOT_ALONE


def test_a_skipped_test_is_run_once():
    planner = Planner(["a"], conditions(2), BUDGET_S)
    planner.add(PlannedRun("a", IDLE), RunResult(SKIPPED))
    assert planner.next_batch(BUDGET_S) is None


def test_a_run_that_does_not_fit_into_the_time_that_is_left_is_not_made():
    planner = Planner(["slow"], conditions(2), BUDGET_S)
    planner.add(PlannedRun("slow", IDLE), RunResult(PASSED, duration_s=20.0, cpu_s=20.0))
    batch = planner.next_batch(30.0)
    assert {each.condition.cpu_share for each in batch.runs} <= {1.0, 0.7}
    assert planner.next_batch(5.0) is None


def test_a_quota_whose_duration_nears_a_timeout_is_preferred():
    quotas = [each for each in conditions(2) if each.family == "cpu quota"]
    planner = Planner(["near", "far"], quotas, BUDGET_S)
    for test, cpu_s in (("near", 2.5), ("far", 0.01)):
        planner.add(PlannedRun(test, IDLE), RunResult(PASSED, duration_s=2.5, cpu_s=cpu_s))
        planner.set_limit(test, 30.0)
        for quota in quotas[:2]:
            planner.add(PlannedRun(test, quota), RunResult(PASSED, duration_s=5.0, cpu_s=cpu_s))
    planner.next_batch(BUDGET_S)
    near, far = starmap(planner._nearness, (("near", quotas[2]), ("far", quotas[2])))
    assert near > far


def test_only_quotas_and_different_tests_run_at_the_same_time():
    tests = {f"t{number}": SimulatedTest() for number in range(9)}
    planner = Planner(list(tests), conditions(2), BUDGET_S)
    for test in tests:
        planner.add(PlannedRun(test, IDLE), RunResult(PASSED, duration_s=0.1, cpu_s=0.05))
    batch = planner.next_batch(BUDGET_S)
    assert batch.is_parallel
    names = [each.test for each in batch.runs]
    assert len(names) == len(set(names))
    assert IDLE not in {each.condition for each in batch.runs}


def test_a_failure_beside_other_tests_is_repeated_alone_before_it_counts():
    planner = Planner(["a"], conditions(2), BUDGET_S)
    planner.add(PlannedRun("a", IDLE), RunResult(PASSED, duration_s=0.1, cpu_s=0.05))
    harsh = planner.ladder[-1]
    planner.add(PlannedRun("a", harsh), RunResult(FAILED, is_alone=False, duration_s=0.5, cpu_s=0.05))
    assert planner.tallies["a"][harsh].runs == 0
    seen = []
    for _ in range(20):
        batch = planner.next_batch(BUDGET_S)
        seen += [(each.condition, batch.is_parallel) for each in batch.runs]
        for each in batch.runs:
            planner.add(each, RunResult(PASSED, not batch.is_parallel, 0.1, 0.05))
    assert (harsh, False) in seen


def test_a_test_that_takes_long_is_confirmed_beside_others_after_it_has_failed_alone():
    tests = {f"t{number}": SimulatedTest(wall_s=3.0, cpu_s=3.0, breaks_at=0.1) for number in range(5)}
    found = simulate(tests, 600.0)
    broken = {test: verdict.decisive for test, verdict in found.verdicts.items() if verdict.word == BREAKS}
    assert len(broken) == 5  # a run alone takes 30 s: five of each could not be made
    for test, condition in broken.items():
        tally, idle = (found.planner.tallies[test][each] for each in (condition, IDLE))
        assert str(condition) == "constrain cpu=0.1"
        assert tally.alone.failures
        assert tally.beside.failures
        assert idle.beside.runs


def test_a_test_that_is_confirmed_makes_room_for_the_next_that_takes_long():
    tests = {f"t{number}": SimulatedTest(wall_s=3.0, cpu_s=1.5, breaks_at=0.1) for number in range(5)}
    found = simulate(tests, 1200.0)
    assert {verdict.word for verdict in found.verdicts.values()} == {BREAKS}
    found.planner.next_batch(600.0)
    assert not found.planner._opened
