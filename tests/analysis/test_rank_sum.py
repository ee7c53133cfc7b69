"""Whether one group of measurements is above another."""

from __future__ import annotations

import math
import random
from itertools import combinations

import pytest

from pytest_twin.analysis.stats.rank_sum import adjust_p_values, is_enough, one_sided_p_value, p_value, ratio_between


def counted(these, those):
    """The same chance by counting every way in which the measurements could have been divided."""
    both = [*these, *those]
    above = [sum((a > b) + (a == b) / 2 for a in these for b in those)]
    for taken in combinations(range(len(both)), len(these)):
        ours, others = [both[at] for at in taken], [both[at] for at in range(len(both)) if at not in taken]
        above.append(sum((a > b) + (a == b) / 2 for a in ours for b in others))
    return sum(each >= above[0] for each in above[1:]) / (len(above) - 1)


@pytest.mark.parametrize(
    ("these", "those"),
    [([5, 6, 7], [1, 2, 3, 4]), ([1, 4, 6, 7], [2, 3, 5]), ([1, 2, 2, 3], [2, 2, 1, 4, 2]), ([1, 1], [1, 1, 1])],
)
def test_the_chance_is_that_of_counting_all_ways(these, those):
    assert one_sided_p_value(these, those) == pytest.approx(counted(these, those))


def test_many_measurements_are_as_likely_as_by_counting_sums():
    draw = random.Random(1)
    these, those = ([draw.gauss(mean, 1) for _ in range(30)] for mean in (0.5, 0))
    exact = one_sided_p_value(these, those)
    assert one_sided_p_value([*these, 0.3], those) == pytest.approx(exact, rel=0.2)


def test_what_is_all_the_same_is_no_difference():
    assert p_value([1.0] * 40, [1.0] * 40) == 1
    assert ratio_between([0.0] * 5, [0.0] * 5) == (1, 1, 1)


def test_three_and_three_are_too_few_and_four_and_four_are_enough():
    assert not is_enough(3, 3)
    assert is_enough(4, 4)
    assert not is_enough(0, 50)


def test_a_ratio_and_its_inverse_tell_the_same():
    draw = random.Random(2)
    these, those = ([math.exp(draw.gauss(0, 0.2)) for _ in range(12)] for _ in range(2))
    low, middle, high = ratio_between(these, those)
    assert ratio_between(those, these) == pytest.approx((1 / high, 1 / middle, 1 / low))


def test_most_intervals_have_the_true_ratio_in_them():
    draw = random.Random(3)
    hits = 0
    for _ in range(200):
        these, those = ([scale * math.exp(draw.gauss(0, 0.2)) for _ in range(10)] for scale in (1.2, 1))
        low, _, high = ratio_between(these, those)
        hits += low <= 1.2 <= high
    assert hits >= 0.9 * 200


def test_many_chances_are_corrected_as_benjamini_and_hochberg_do():
    assert adjust_p_values([0.04, 0.01, 0.03, 0.5]) == pytest.approx([0.16 / 3, 0.04, 0.16 / 3, 0.5])
    assert adjust_p_values([]) == []
