"""Curves of how load slows a test, their knees and their ranking."""

from __future__ import annotations

import pytest

from pytest_twin.analysis.budgets.repetitions import Repetition, RunPair
from pytest_twin.analysis.sensitivity import (
    NOTHING,
    ProfileCell,
    ProfilePoint,
    RunCount,
    cells,
    curves,
    knee,
    least_known_cell,
    rounds,
)
from pytest_twin.analysis.stats.signed_rank import Interval, TooFewError


def pairs(ratio, *, cpu=1.0, count=6, spread=0.0):
    return [
        RunPair(
            Repetition(0.1, 0.1),
            Repetition(0.1 * ratio * (1 + spread * (at % 3 - 1)), 0.1 * cpu, (f"{at}.0%",)),
        )
        for at in range(count)
    ]


def measured(**slowest):
    """Curves that rise from 1 to these in straight lines; a tuple has the ratio of CPU times at the end too."""
    found = {NOTHING: pairs(1.0)}
    for resource, level in (each for each in cells() if each != NOTHING):
        top = slowest.get(resource, 1.0)
        wall, cpu = top if isinstance(top, tuple) else (top, 1.0)
        found[ProfileCell(resource, level)] = pairs(1 + (wall - 1) * level / 100, cpu=1 + (cpu - 1) * level / 100)
    return found


def ranks(**slowest):
    return {curve.resource: curve.rank for curve in curves(measured(**slowest))}


def test_each_resource_has_a_curve_from_no_load_on():
    cpu, membw, disk = curves(measured(cpu=2.0, disk=1.05))
    assert [point.slowdown for point in cpu.points] == pytest.approx([1, 1.25, 1.5, 1.75, 2])
    assert [point.cell.level for point in membw.points] == [0, 25, 50, 75, 100]
    assert (cpu.knee, membw.knee, disk.knee) == (25, None, None)
    assert cpu.points[4].achieved == "2.0%, from 0.0% to 5.0%"


def test_the_resource_that_slows_a_test_most_comes_first_and_one_that_does_not_has_no_rank():
    assert ranks(cpu=1.5, disk=4.0) == {"cpu": 2, "membw": None, "disk": 1}
    assert ranks() == {"cpu": None, "membw": None, "disk": None}


def test_memory_bandwidth_has_a_rank_only_where_the_test_takes_more_cpu_time_for_it():
    assert ranks(cpu=1.9, membw=2.1) == {"cpu": 1, "membw": None, "disk": None}
    assert ranks(cpu=(1.9, 1.3), membw=(2.1, 1.3)) == {"cpu": 1, "membw": None, "disk": None}


def test_memory_bandwidth_counts_by_that_cpu_time_and_not_by_its_waiting_for_a_cpu():
    assert ranks(cpu=1.9, membw=(2.9, 1.4)) == {"cpu": 1, "membw": 2, "disk": None}
    assert ranks(cpu=1.9, membw=(4.2, 2.2), disk=3.0) == {"cpu": 3, "membw": 2, "disk": 1}
    assert ranks(membw=(4.2, 2.2), disk=2.0) == {"cpu": None, "membw": 1, "disk": 2}


def test_memory_bandwidth_comes_before_a_cpu_whose_other_programs_empty_the_caches_too():
    assert ranks(cpu=(6.0, 3.0), membw=(9.0, 5.0)) == {"cpu": 2, "membw": 1, "disk": None}


def test_the_knee_is_where_it_begins_to_hurt_for_good():
    def points(*lows):
        return [
            ProfilePoint(
                ProfileCell("cpu", 25 * at),
                6,
                0.1,
                low,
                None if low is None else Interval(low, low, low),
                None,
                None,
                "",
            )
            for at, low in enumerate(lows)
        ]

    assert knee(points(1, 1, 1.2, 1.5, 2)) == 50
    assert knee(points(1, 1.5, 1, 1.5, 2)) == 75
    assert knee(points(1, 1.5, 1.5, 1.5, None)) is None


def test_a_quota_has_a_curve_of_its_own_with_the_highest_level_as_the_mildest_and_no_rank():
    found = measured(cpu=1.5)
    for level, slowdown in zip((75, 50, 25, 10), (1.0, 1.9, 4.0, 10.0), strict=True):
        found[ProfileCell("quota", level)] = pairs(slowdown)
    cpu, *_, quota = curves(found, resources=["cpu", "membw", "disk", "quota"])
    assert [point.cell.level for point in quota.points] == [100, 75, 50, 25, 10]
    assert quota.points[0].slowdown == pytest.approx(1.0)
    assert (quota.points[0].achieved, quota.points[4].achieved) == ("", "2.0%, from 0.0% to 5.0%")
    assert (quota.knee, quota.rank, cpu.rank) == (50, None, 1)


def test_where_a_test_fails_more_often_than_without_load_is_a_knee_too():
    counts = {
        NOTHING: RunCount(12),
        ProfileCell("cpu", 50): RunCount(6, 1, "once"),
        ProfileCell("cpu", 75): RunCount(5, 3, "late"),
        ProfileCell("cpu", 100): RunCount(5, 5, "late"),
        ProfileCell("disk", 100): RunCount(6, 1, "once"),
    }
    found = measured(disk=4.0)
    del found[ProfileCell("cpu", 100)]  # it never passed
    cpu, membw, disk = curves(found, counts)
    assert [point.fails for point in cpu.points] == [False, False, False, True, True]
    assert [point.tally.failures for point in cpu.points] == [0, 0, 1, 3, 5]
    assert cpu.points[0].tally == RunCount(12)
    assert (cpu.knee, membw.knee, disk.knee) == (75, None, 25)
    assert (cpu.rank, disk.rank) == (1, 2)  # to fail is worse than to be slow


def test_a_test_that_fails_as_often_without_load_fails_by_no_load():
    counts = {NOTHING: RunCount(12, 6, "often"), ProfileCell("cpu", 100): RunCount(6, 4, "often")}
    cpu, *_ = curves(measured(), counts)
    assert (cpu.points[4].fails, cpu.knee, cpu.rank) == (False, None, None)


def test_the_first_error_is_kept():
    assert RunCount(1).plus(RunCount(1, 1, "first")).plus(RunCount(2, 1, "second")) == RunCount(4, 2, "first")


def test_with_too_few_repetitions_there_is_a_slowdown_but_no_interval_and_without_any_there_is_nothing():
    found = {ProfileCell("cpu", 100): pairs(2.0, count=3)}
    cpu, *_ = curves(found)
    assert (cpu.points[4].slowdown, cpu.points[4].interval, cpu.knee, cpu.rank) == (2.0, None, None, None)
    assert cpu.points[0] == (ProfileCell("cpu", 0), 0, None, None, None, None, None, "", RunCount(), False)


def test_what_is_known_least_is_measured_next_until_all_is_known_well():
    known = measured(cpu=2.0)
    assert least_known_cell(known) is None
    known[ProfileCell("disk", 50)] = pairs(1.0, spread=0.2)
    known[ProfileCell("cpu", 50)] = pairs(1.0, spread=0.1)
    assert least_known_cell(known) == ProfileCell("disk", 50)
    assert least_known_cell({}) is None
    with pytest.raises(TooFewError):
        least_known_cell({NOTHING: []})


def test_a_round_measures_every_cell_and_the_test_alone_in_a_random_order():
    first, second = (next(orders) for orders in [rounds(1)] * 2)
    assert set(first) == {None, *cells()}
    assert first != second
    assert first == next(rounds(1))
