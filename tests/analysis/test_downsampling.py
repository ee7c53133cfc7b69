"""Which rows are drawn."""

import numpy as np

from pytest_twin.analysis.run.downsampling import MOST, detail_levels, gaps, select_rows


def test_few_rows_are_all_drawn():
    times = np.arange(100.0)
    assert [len(level) for level in detail_levels(times, [times])] == [100]


def test_many_rows_are_drawn_coarsely_first_and_finely_last():
    times = np.arange(200_000.0)
    sizes = [len(level) for level in detail_levels(times, [np.sin(times)])]
    assert sizes == sorted(sizes)
    assert sizes[0] < 2000
    assert sizes[-1] <= MOST + 2


def test_a_peak_of_one_sample_stays():
    times = np.arange(100_000.0)
    values = np.zeros(100_000)
    values[54_321] = 1.0
    assert 54_321 in select_rows(times, [values, np.cos(times)], 500)


def test_where_values_begin_to_be_missing_both_edges_stay():
    times = np.arange(10_000.0)
    values = np.sin(times)
    values[4000:6000] = np.nan
    assert {3999, 4000, 5999, 6000} <= set(select_rows(times, [values], 300).tolist())


def test_a_curve_of_which_nothing_is_known_is_no_trouble():
    times = np.arange(5000.0)
    assert len(select_rows(times, [np.full(5000, np.nan)], 100)) >= 2


def test_a_time_without_samples_is_a_gap():
    times = np.array([0.0, 0.1, 0.2, 5.0, 5.1])
    assert gaps(times).tolist() == [3]
    assert gaps(np.array([0.0, 9.0])).tolist() == []
