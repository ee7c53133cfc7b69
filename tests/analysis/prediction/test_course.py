"""How long a test takes beside a load, against what can be computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_twin.analysis.prediction.course import slowdowns_by_start, start_times


def test_beside_a_constant_load_each_start_is_as_slow():
    durations = np.array([1.0, 2.0, 0.5])
    found = slowdowns_by_start(durations, np.full(3, 1.7), 0.3, start_times(durations))
    assert found == pytest.approx(np.full(len(found), 1.7))


def test_a_test_that_crosses_a_change_is_slowed_by_both_parts():
    durations, slowdowns = np.array([10.0, 10.0]), np.array([1.0, 2.0])
    starts = np.array([0.0, 9.0, 12.0, 19.0])
    # 1 s of work each: within the first part, half in each, within the second, and over the end into the first
    assert slowdowns_by_start(durations, slowdowns, 1.0, starts) == pytest.approx([1.0, 1.0, 2.0, 1.5])
    assert slowdowns_by_start(durations, slowdowns, 2.0, starts) == pytest.approx([1.0, 1.5, 2.0, 1.25])


def test_beside_a_square_wave_the_share_of_slow_starts_is_exact():
    durations, slowdowns = np.array([3.0, 1.0]), np.array([1.0, 4.0])
    found = slowdowns_by_start(durations, slowdowns, 1e-6, start_times(durations))
    assert np.mean(found > 2) == pytest.approx(0.25, abs=0.001)


@pytest.mark.parametrize("laps", [1, 2, 10])
def test_a_test_of_whole_laps_takes_as_long_from_any_start(laps):
    durations, slowdowns = np.array([3.0, 1.0]), np.array([1.0, 4.0])
    work = 3 + 1 / 4
    found = slowdowns_by_start(durations, slowdowns, laps * work, start_times(durations))
    assert found == pytest.approx(np.full(len(found), 4 / work))


def test_a_test_that_is_longer_than_the_recording_meets_it_again():
    durations, slowdowns = np.array([1.0, 1.0]), np.array([1.0, 2.0])
    # a lap of 2 s does 1.5 s of work: 4 s of it take two laps, and 1 s more from its start
    assert slowdowns_by_start(durations, slowdowns, 4.0, np.array([0.0])) == pytest.approx([5.0 / 4.0])


def test_starts_are_spread_evenly():
    starts = start_times(np.array([1.0, 9.0]))
    assert np.mean(starts < 1.0) == pytest.approx(0.1, abs=0.001)
    assert 0 < starts[0] < starts[-1] < 10
    assert len(start_times(np.ones(10**6))) < 10**6
