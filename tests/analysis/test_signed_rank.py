"""Intervals of repeated measurements."""

from __future__ import annotations

import math
import random
from itertools import product

import pytest

from pytest_twin.analysis.stats.signed_rank import (
    FEWEST,
    MOST_EXACT,
    Interval,
    TooFewError,
    median_interval,
    ratio_interval,
    ratio_of_ratios,
)


def counted(values, confidence):
    """The same borders by counting, for each mean of two, the ways in which all signs could have come out."""
    ranks = range(1, len(values) + 1)
    sums = sorted(
        sum(rank for rank, sign in zip(ranks, signs, strict=True) if sign) for signs in product(*[(0, 1)] * len(values))
    )
    below = [each for each in set(sums) if sum(other <= each for other in sums) / len(sums) <= (1 - confidence) / 2]
    means = sorted((one + other) / 2 for at, one in enumerate(values) for other in values[at:])
    return means[max(below)], means[-1 - max(below)]


@pytest.mark.parametrize("count", [6, 7, 10, 12])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_the_interval_is_that_of_counting_all_signs(count, confidence):
    draw = random.Random(count)
    values = [draw.gauss(0, 1) for _ in range(count)]
    low, _, high = median_interval(values, confidence=confidence)
    assert (low, high) == counted(values, confidence)


def test_the_middle_is_the_median_of_the_means_of_two():
    assert median_interval([5, 1, 4, 2, 3, 6, 13]).middle == 4
    assert median_interval([0, 1, 2, 3, 4, 50]).middle == 2.5


def test_one_that_is_far_off_moves_the_borders_no_further_than_the_others_scatter():
    usual = [1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8]
    assert median_interval([*usual, 99.0])[:2] == median_interval([*usual, 9.0])[:2]


def test_of_too_few_nothing_is_told():
    with pytest.raises(TooFewError, match=r"^5 measurements are too few for an interval with 95 % confidence$"):
        median_interval([1.0] * (FEWEST - 1))
    assert median_interval([1.0] * FEWEST) == (1, 1, 1)


def test_twice_and_half_as_slow_are_equally_far_from_the_same():
    assert ratio_interval([1, 4, 1, 4, 1, 4], [2] * 6).middle == pytest.approx(1.0)


def test_a_ratio_and_its_inverse_tell_the_same():
    draw = random.Random(2)
    these, those = ([math.exp(draw.gauss(0, 0.2)) for _ in range(15)] for _ in range(2))
    low, middle, high = ratio_interval(these, those)
    assert ratio_interval(those, these) == pytest.approx((1 / high, 1 / middle, 1 / low))


@pytest.mark.parametrize("pairs", [6, 10, MOST_EXACT + 1])
def test_nineteen_of_twenty_intervals_have_the_true_ratio_in_them_though_the_noise_is_one_sided(pairs):
    draw, outside, runs = random.Random(4), 0, 400
    for _ in range(runs):
        these, those = ([scale * (1 + draw.expovariate(5)) for _ in range(pairs)] for scale in (1.2, 1.0))
        low, _, high = ratio_interval(these, those)
        outside += not low <= 1.2 <= high
    assert 0 < outside <= 0.075 * runs


def test_two_intervals_that_overlap_a_little_are_surely_apart_and_two_that_overlap_much_are_not():
    low, middle, high = ratio_of_ratios(Interval(2.5, 4, 6.4), Interval(1.25, 2, 3.2))
    assert middle == 2
    assert (low, high) == pytest.approx((2 / 1.6 ** math.sqrt(2), 2 * 1.6 ** math.sqrt(2)))
    assert ratio_of_ratios(Interval(2, 4, 8), Interval(1, 2, 4)).low < 1 < low


def test_nineteen_of_twenty_have_the_true_ratio_of_two_in_them():
    draw, outside, runs = random.Random(5), 0, 400
    for _ in range(runs):
        ratios = [ratio_interval([scale * math.exp(draw.gauss(0, 0.2)) for _ in range(8)], [1] * 8) for scale in (3, 2)]
        low, _, high = ratio_of_ratios(*ratios)
        outside += not low <= 1.5 <= high
    assert 0 < outside <= 0.075 * runs
