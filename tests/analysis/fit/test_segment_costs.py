"""The costs of holds and lines, compared with numpy's own least squares."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_twin.analysis.fit.segment_costs import SegmentCosts

SERIES = np.random.default_rng(5).normal(0, 1, (2, 40)) + np.linspace(0, 3, 40)
SERIES[1, 10:13] = np.nan


def squares(values, degree):
    at = np.arange(len(values))[np.isfinite(values)]
    known = values[np.isfinite(values)]
    return float(np.sum((known - np.polyval(np.polyfit(at, known, degree), at)) ** 2))


@pytest.mark.parametrize(("first", "last"), [(0, 40), (5, 25), (8, 20)])
def test_the_cost_is_that_of_a_line_with_its_price_or_of_a_hold(first, last):
    price = 0.7
    wanted = sum(min(squares(each[first:last], 0), squares(each[first:last], 1) + price) for each in SERIES)
    assert SegmentCosts(SERIES, price).total(np.array(first), np.array(last)) == pytest.approx(wanted)


def test_costs_of_many_parts_are_those_of_each():
    costs = SegmentCosts(SERIES, 0.1)
    firsts, lasts = np.array([0, 5, 9]), np.array([7, 30, 40])
    each = [float(costs.total(first, last)) for first, last in zip(firsts, lasts, strict=True)]
    assert costs.total(firsts, lasts) == pytest.approx(each)


def test_the_ends_of_a_line_are_on_it_and_a_hold_has_its_mean():
    values = np.array([np.arange(10.0), np.full(10, 4.0)])
    costs = SegmentCosts(values, 0.1)
    assert costs.ends(0, 2, 8) == pytest.approx((1.5, 7.5))
    assert costs.ends(1, 2, 8) == pytest.approx((4, 4))


def test_what_is_unknown_has_no_ends_and_costs_nothing():
    costs = SegmentCosts(SERIES, 0.1)
    assert costs.ends(1, 10, 13) is None
    assert float(SegmentCosts(SERIES[1:], 0.1).total(np.array(10), np.array(13))) == 0
