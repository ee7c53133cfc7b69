"""Phases that are fitted to a recording."""

from __future__ import annotations

import numpy as np
import pytest
from made_recordings import recording

pytest.importorskip("ruptures")
from pytest_twin.analysis.fit.phases import FitError, FitOptions, Level, fit_phases

DISK = 1e6


def noisy(values, deviation, seed=1):
    return np.clip(values + np.random.default_rng(seed).normal(0, deviation, len(values)), 0, None)


def steps(*spans):
    return np.concatenate([np.full(count, value, dtype=float) for count, value in spans])


def test_a_constant_load_is_one_event():
    (phase,) = fit_phases(recording(cpu=np.full(100, 0.3)), FitOptions()).phases
    assert (phase.start_s, phase.duration_s, phase.levels) == (0, 100, {"cpu": Level(0.3, 0.3)})


def test_changes_of_all_resources_are_found_where_they_are():
    cpu = noisy(steps((200, 0.1), (100, 0.8), (300, 0.1)), 0.02)
    disk = noisy(steps((400, 0), (100, 50), (100, 0)), 1) * DISK
    phases = fit_phases(recording(cpu=cpu, disk_write=disk), FitOptions()).phases
    assert [phase.start_s for phase in phases] == [0, 200, 300, 400, 500]
    assert [phase.levels["cpu"].first for phase in phases] == pytest.approx([0.1, 0.8, 0.1, 0.1, 0.1], abs=0.01)
    assert [phase.levels["disk_write"].first for phase in phases] == pytest.approx(
        np.array([0, 0, 0, 50, 0]) * DISK, abs=DISK
    )


def test_a_steady_rise_is_one_straight_line():
    (phase,) = fit_phases(recording(cpu=noisy(np.linspace(0.1, 0.9, 500), 0.01)), FitOptions()).phases
    assert phase.levels["cpu"] == pytest.approx((0.1, 0.9), abs=0.02)


def test_memory_counts_from_the_lowest_level_on():
    fit = fit_phases(recording(mem=noisy(steps((100, 0.4), (100, 0.6)), 0.001)), FitOptions())
    assert fit.idle_memory == pytest.approx(0.4, abs=0.001)
    assert [phase.levels["mem"].first for phase in fit.phases] == pytest.approx([0, 0.2], abs=0.005)


@pytest.mark.parametrize("events", [1, 2, 5, 20])
def test_there_are_no_more_events_than_allowed(events):
    cpu = np.random.default_rng(3).uniform(0, 1, 300)
    assert 1 <= len(fit_phases(recording(cpu=cpu), FitOptions(events, 0.0)).phases) <= events


def test_an_event_that_explains_less_than_the_tolerance_is_not_made():
    cpu = noisy(steps((300, 0.1), (300, 0.8), (30, 0.72), (300, 0.8)), 0.01)
    assert len(fit_phases(recording(cpu=cpu), FitOptions(tolerance=0.05)).phases) == 2
    assert len(fit_phases(recording(cpu=cpu), FitOptions(tolerance=0.0005)).phases) == 4


def test_events_follow_one_another_and_last_as_long_as_the_recording():
    cpu = noisy(steps((77, 0.2), (211, 0.7), (412, 0.4)), 0.05)
    phases = fit_phases(recording(interval_s=0.5, cpu=cpu), FitOptions()).phases
    ends = [phase.start_s + phase.duration_s for phase in phases]
    assert ends[:-1] == pytest.approx([phase.start_s for phase in phases[1:]])
    assert ends[-1] == 350


def test_a_change_far_into_a_long_recording_is_found_to_the_second():
    cpu = noisy(steps((40_017, 0.2), (20_000, 0.7)), 0.05)
    assert [phase.start_s for phase in fit_phases(recording(cpu=cpu), FitOptions()).phases] == [0, 40_017]


def test_a_gradual_change_has_a_round_time():
    cpu = noisy(np.interp(np.arange(6000), [0, 3013, 5000, 6000], [0.1, 0.1, 0.6, 0.6]), 0.1)
    start = fit_phases(recording(cpu=cpu), FitOptions()).phases[1].start_s
    assert start == pytest.approx(3013, abs=200)
    assert start % 5 == 0


def test_a_line_that_would_go_below_nothing_keeps_its_mean():
    cpu = np.concatenate([np.zeros(60), np.linspace(0, 0.5, 40), np.zeros(60)])
    fit = fit_phases(recording(cpu=cpu), FitOptions(events=2))
    assert min(min(phase.levels["cpu"]) for phase in fit.phases) == 0
    work = sum(sum(phase.levels["cpu"]) / 2 * phase.duration_s for phase in fit.phases)
    assert work == pytest.approx(float(cpu.sum()), rel=0.06)


def test_phases_without_a_load_are_no_events():
    fit = fit_phases(recording(cpu=steps((100, 0), (100, 0.5), (100, 0))), FitOptions())
    assert (len(fit.phases), fit.events) == (3, 1)


def test_gaps_cost_nothing_and_what_was_before_goes_on():
    cpu = noisy(steps((100, 0.2), (100, 0.8), (100, 0.2)), 0.01)
    cpu[120:180] = np.nan
    starts = [phase.start_s for phase in fit_phases(recording(cpu=cpu), FitOptions()).phases]
    assert starts == [0, 100, 200]


def test_a_resource_that_does_not_vary_is_held_and_makes_no_event():
    cpu = noisy(steps((100, 0.2), (100, 0.8)), 0.01)
    fit = fit_phases(recording(cpu=cpu, disk_write=noisy(np.full(200, 3e6), 1e4)), FitOptions())
    assert len(fit.phases) == 2
    assert {phase.levels["disk_write"] for phase in fit.phases} == {Level(3e6, 3e6)}


@pytest.mark.parametrize(
    ("columns", "problem"),
    [
        ({"net_received": np.ones(50)}, "has nothing to fit: no values of cpu, mem, disk_write, disk_read, net_sent"),
        ({"cpu": np.full(50, np.nan)}, "has nothing to fit: no values of cpu, mem, disk_write, disk_read, net_sent"),
        ({"cpu": np.ones(19)}, "has 19 intervals; a fit needs 20 at least"),
    ],
)
def test_what_cannot_be_fitted_is_told(columns, problem):
    with pytest.raises(FitError) as caught:
        fit_phases(recording(**columns), FitOptions())
    assert str(caught.value) == problem
