"""The slowdown as a function of the load."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_twin.analysis.prediction.response import MOST_SHARE, JointEffect, JointLevel, LoadResponse, MeasuredLevel


def response(*points, spread=1.1, weight=10):
    """Through (load, slowdown), each with an interval of this factor."""
    return LoadResponse.fit(
        [MeasuredLevel(load, slowdown, slowdown / spread, slowdown * spread, weight) for load, slowdown in points]
    )


def test_a_response_is_1_without_load_and_straight_between_levels():
    found = response((1.0, 3.0), (0.5, 2.0))
    assert found.at(np.array([0.0, 0.25, 0.5, 0.75, 1.0])) == pytest.approx([1.0, 1.5, 2.0, 2.5, 3.0])


def test_a_response_is_never_beyond_the_highest_level():
    found = response((0.25, 1.5), (0.5, 2.0))
    assert found.highest == 0.5
    assert found.at(np.array([0.6, 1.0, 9.0])) == pytest.approx([2.0, 2.0, 2.0])


def test_levels_that_fall_are_pooled():
    found = response((0.25, 1.2), (0.5, 2.0), (0.75, 1.8), (1.0, 3.0))
    middle = (2.0 * 1.8) ** 0.5
    assert found.slowdowns == pytest.approx([1.0, 1.2, middle, middle, 3.0])


def test_the_level_with_more_measurements_counts_more():
    levels = [MeasuredLevel(0.5, 2.0, None, None, 30), MeasuredLevel(1.0, 1.0, None, None, 10)]
    assert LoadResponse.fit(levels).slowdowns == pytest.approx([1.0, 2**0.75, 2**0.75])


def test_no_load_makes_a_test_faster():
    assert response((0.25, 0.9), (0.5, 0.95), (1.0, 1.5)).slowdowns == pytest.approx([1.0, 1.0, 1.0, 1.5])


def test_draws_are_spread_as_the_intervals_tell():
    draw = np.random.default_rng(1)
    found = np.array([response((1.0, 4.0), spread=1.2).drawn(draw).slowdowns[-1] for _ in range(2000)])
    inside = np.mean((found > 4.0 / 1.2) & (found < 4.0 * 1.2))
    assert inside == pytest.approx(0.95, abs=0.02)


def test_every_draw_rises():
    draw, found = np.random.default_rng(1), response((0.5, 1.05), (1.0, 1.06), spread=1.5)
    for _ in range(100):
        slowdowns = found.drawn(draw).slowdowns
        assert slowdowns[0] == 1
        assert np.all(np.diff(slowdowns) >= 0)


def test_without_an_interval_there_is_nothing_to_draw():
    found = LoadResponse.fit([MeasuredLevel(0.5, 2.0, 1.9, 2.1, 6), MeasuredLevel(1.0, 3.0, None, None, 2)])
    assert found.errors is None
    assert found.drawn(np.random.default_rng(1)) is found


def joint(*levels, spread=1.0):
    """Measurements under both loads: their slowdowns alone, and that together."""
    return [
        JointLevel(alone, MeasuredLevel(float(place), both, both / spread, both * spread, 8))
        for place, (*alone, both) in enumerate(levels)
    ]


@pytest.mark.parametrize(("both", "share"), [(3.0, 0.0), (6.0, 1.0), (18**0.5, 0.5), (2.5, 0.0), (1000.0, MOST_SHARE)])
def test_a_joint_effect_lies_between_the_larger_slowdown_and_the_product(both, share):
    effect = JointEffect.fit(joint((2.0, 3.0, both)))
    assert effect.share == pytest.approx(share)
    expected = 3.0 ** (1 - share) * 6.0**share
    assert effect.combine([np.array([2.0]), np.array([3.0])]) == pytest.approx([expected])


def test_a_joint_effect_has_no_say_where_only_one_load_slows():
    effect = JointEffect.fit(joint((2.0, 3.0, 6.0)))
    assert effect.combine([np.array([4.0]), np.array([1.0])]) == pytest.approx([4.0])


def test_levels_at_which_more_is_to_be_told_weigh_more():
    effect = JointEffect.fit(joint((1.01, 1.01, 1.01), (4.0, 4.0, 16.0)))
    assert effect.share == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("levels", [[], [(1.0, 3.0, 3.0)], [(1.01, 3.0, 2.9)], [(0.9, 0.8, 2.0)]])
def test_there_is_no_joint_effect_if_no_two_loads_slow_the_test(levels):
    assert JointEffect.fit(joint(*levels)) is None


def test_a_joint_effect_is_as_uncertain_as_what_was_measured():
    narrow, wide = (JointEffect.fit(joint((2.0, 3.0, 4.0), spread=spread)) for spread in (1.01, 1.1))
    assert 0 < narrow.error < wide.error
    draw = np.random.default_rng(1)
    shares = [wide.drawn(draw).share for _ in range(1000)]
    assert np.std(shares) == pytest.approx(wide.error, rel=0.2)
    unknown = JointEffect.fit([JointLevel((2.0, 3.0), MeasuredLevel(0.0, 4.0, None, None, 3))])
    assert (unknown.error, unknown.drawn(draw)) == (None, unknown)
