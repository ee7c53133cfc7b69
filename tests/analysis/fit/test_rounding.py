"""Amounts and times as a person writes them."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_twin.analysis.fit.rounding import rounded_amount, time_units


@pytest.mark.parametrize(
    ("value", "rounded"),
    [(0, 0), (-1, 0), (0.3519, 0.35), (0.1234, 0.125), (0.0199, 0.02), (1_043_000, 1_050_000), (87_654_321, 88e6)],
)
def test_an_amount_has_two_digits_and_a_small_one_half_of_the_last(value, rounded):
    assert rounded_amount(value) == rounded


@given(st.floats(1e-9, 1e15))
@settings(max_examples=100, deadline=None)
def test_rounding_changes_an_amount_by_less_than_three_per_cent_and_only_once(value):
    assert rounded_amount(value) == pytest.approx(value, rel=0.026)
    assert rounded_amount(rounded_amount(value)) == rounded_amount(value)


def test_units_of_time_are_longer_than_an_interval_and_from_the_longest_on():
    assert time_units(700, 1) == [600, 300, 60, 30, 10, 5]
    assert time_units(3, 0.1) == [1, 0.5]
