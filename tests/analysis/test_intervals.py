"""Intervals of repeated measurements."""

from __future__ import annotations

import math
import random

import pytest

from pytest_twin.analysis.intervals import FEWEST, TooFewError, of_median, of_ratio


def test_the_median_lies_between_the_borders():
    low, middle, high = of_median([5, 1, 4, 2, 3, 6, 7])
    assert middle == 4
    assert 1 <= low <= middle <= high <= 7


def test_of_too_few_nothing_is_told():
    with pytest.raises(TooFewError, match=f"^5 measurements are too few, {FEWEST} are needed$"):
        of_median([1.0] * 5)


def test_the_same_seed_tells_the_same():
    values = [random.Random(1).gauss(0, 1) for _ in range(20)]
    assert of_median(values, seed=3) == of_median(values, seed=3)


def test_what_never_differs_has_no_width():
    assert of_ratio([2.0] * 8, [1.0] * 8) == pytest.approx((2.0, 2.0, 2.0))


def test_a_ratio_and_its_inverse_tell_the_same():
    draw = random.Random(2)
    these, those = ([math.exp(draw.gauss(0, 0.2)) for _ in range(15)] for _ in range(2))
    low, middle, high = of_ratio(these, those)
    assert of_ratio(those, these) == pytest.approx((1 / high, 1 / middle, 1 / low), rel=0.05)


def test_most_intervals_have_the_true_median_in_them():
    draw, inside = random.Random(4), 0
    for seed in range(200):
        low, _, high = of_median([draw.expovariate(1) for _ in range(15)], seed=seed)
        inside += low <= math.log(2) <= high
    assert inside > 0.88 * 200
