"""The nearest values that never fall."""

from __future__ import annotations

import pytest

from pytest_twin.analysis.stats.isotonic import rising_means


@pytest.mark.parametrize(
    ("values", "weights", "rising"),
    [
        ([1, 2, 3], [1, 1, 1], [1, 2, 3]),
        ([1, 4, 2, 5], [1, 1, 1, 1], [1, 3, 3, 5]),
        ([1, 4, 2, 5], [1, 1, 3, 1], [1, 2.5, 2.5, 5]),
        ([3, 2, 1], [1, 1, 1], [2, 2, 2]),
    ],
)
def test_values_that_fall_are_replaced_by_their_weighted_mean(values, weights, rising):
    assert rising_means(values, weights).tolist() == pytest.approx(rising)
