"""Two recordings on one grid of intervals."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_twin.analysis.fidelity.resampling import resample


def test_an_interval_gets_the_mean_of_the_rows_in_it_by_their_time():
    ends, values = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 1.0, 2.0, 5.0])
    assert resample(ends, values, 1.0, 2.0, 2).tolist() == [0.5, 3.5]
    assert resample(ends, values, 1.0, 1.6, 2).tolist() == pytest.approx([0.6 / 1.6, (0.4 * 1 + 2 * 1 + 5 * 0.2) / 1.6])


def test_the_same_interval_changes_no_value():
    values = np.random.default_rng(1).random(50)
    assert resample(np.arange(1.0, 51), values, 1.0, 1.0, 50) == pytest.approx(values)


def test_missing_rows_and_missing_values_are_unknown_and_not_zero():
    ends = np.array([1.0, 2.0, 6.0, 7.0, 8.0])
    values = np.array([1.0, 2.0, 3.0, np.nan, 5.0])
    found = resample(ends, values, 1.0, 1.0, 9)
    assert found.tolist() == pytest.approx([1, 2, np.nan, np.nan, np.nan, 3, np.nan, 5, np.nan], nan_ok=True)


def test_an_interval_of_which_less_than_half_is_known_is_unknown():
    found = resample(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 1, np.nan, 3]), 1.0, 3.0, 2)
    assert found.tolist() == pytest.approx([1, np.nan], nan_ok=True)
