"""Intervals of percentiles."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_twin.analysis.budgets.parser import PERCENTILES, min_repetitions
from pytest_twin.analysis.stats.quantiles import quantile_interval
from pytest_twin.analysis.stats.signed_rank import TooFewError


@pytest.mark.parametrize("share", PERCENTILES.values())
def test_as_many_as_a_budget_asks_for_are_just_enough(share):
    needed = min_repetitions(share)
    low, middle, high = quantile_interval(range(1, needed + 1), share)
    assert low < middle < high == needed
    with pytest.raises(
        TooFewError, match=f"^{needed - 1} measurements are too few for the {100 * share:.0f} % quantile$"
    ):
        quantile_interval(range(needed - 1), share)


def test_the_ranks_are_those_of_the_binomial_distribution():
    assert quantile_interval(range(1, 11), 0.5) == (
        2,
        5,
        9,
    )  # 2 * (1 + 10) / 2**10 are 2.1 %, one rank further in 10.9 %


@pytest.mark.parametrize("share", [0.5, 0.95])
def test_on_neither_side_more_than_a_fortieth_of_the_intervals_leave_out_the_true_value(share):
    draw, runs = random.Random(1), 2000
    found = [quantile_interval([draw.random() for _ in range(80)], share) for _ in range(runs)]
    assert sum(each.low > share for each in found) / runs < 0.025 + 0.01
    assert sum(each.high < share for each in found) / runs < 0.025 + 0.01


@given(st.lists(st.floats(0, 1e9), min_size=6, max_size=50))
def test_the_median_is_always_between_the_borders(values):
    low, middle, high = quantile_interval(values, 0.5)
    assert min(values) <= low <= middle <= high <= max(values)
