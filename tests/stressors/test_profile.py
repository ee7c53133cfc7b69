"""A load over time."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_twin.stressors.spec.profile import Profile

VALUES = st.floats(0, 1e12)


@st.composite
def points(draw):
    times = sorted(draw(st.lists(st.integers(0, 1000), max_size=8)))
    return [(0.0, draw(VALUES)), *((float(at), draw(VALUES)) for at in times)]


@pytest.mark.parametrize("elapsed", [0.0, 0.1, 1e9])
def test_a_constant_is_the_same_at_any_time(elapsed):
    assert Profile([(0.0, 5.0)]).at(elapsed) == 5.0


@pytest.mark.parametrize(("elapsed", "value"), [(-1, 0), (0, 0), (1, 2.5), (2, 5), (4, 10), (9, 10)])
def test_a_ramp_is_straight_and_its_end_is_held(elapsed, value):
    assert Profile([(0.0, 0.0), (4.0, 10.0)]).at(elapsed) == value


@pytest.mark.parametrize(("elapsed", "value"), [(0, 1), (1.999, 1), (2, 2), (3, 2), (4, 3), (5, 3)])
def test_a_staircase_is_on_the_new_step_at_the_time_of_the_step(elapsed, value):
    assert Profile([(0, 1), (2, 1), (2, 2), (4, 2), (4, 3)]).at(elapsed) == value


def test_a_profile_whose_first_point_is_later_holds_it_until_then():
    assert Profile([(5.0, 3.0), (6.0, 4.0)]).at(1.0) == 3.0


def test_a_profile_knows_its_peak_and_its_last_change():
    profile = Profile([(0.0, 1.0), (2.0, 7.0), (4.0, 3.0)])
    assert (profile.peak, profile.last_change) == (7.0, 4.0)


@given(points(), st.floats(-10, 2000))
@settings(max_examples=150, deadline=None)
def test_a_value_lies_between_the_lowest_and_the_highest_point(points, elapsed):
    values = [value for _, value in points]
    assert min(values) * (1 - 1e-9) - 1e-3 <= Profile(points).at(elapsed) <= max(values) * (1 + 1e-9) + 1e-3


@given(points())
@settings(max_examples=80, deadline=None)
def test_a_value_at_a_point_is_that_of_the_last_point_of_the_time(points):
    last = dict(points)
    assert {at: Profile(points).at(at) for at in last} == last


@given(points(), st.floats(0, 1e6))
@settings(max_examples=50, deadline=None)
def test_after_its_last_change_a_profile_stays_what_it_is(points, later):
    profile = Profile(points)
    assert profile.at(profile.last_change + later) == points[-1][1]


STEPS = [(0.0, 2.0), (1.0, 2.0), (1.0, 4.0)]
RAMP = [(0.0, 0.0), (2.0, 4.0)]
TRIANGLE = [(0.0, 0.0), (1.0, 3.0), (2.0, 0.0)]


@pytest.mark.parametrize(
    ("points", "elapsed", "whole"),
    [
        ([(0.0, 5.0)], 0.0, 0.0),
        ([(0.0, 5.0)], 3.0, 15.0),
        (RAMP, 1.0, 1.0),
        (RAMP, 2.0, 4.0),
        (RAMP, 3.0, 8.0),
        (STEPS, 1.0, 2.0),
        (STEPS, 1.5, 4.0),
        (TRIANGLE, 10.0, 3.0),
        ([(1.0, 5.0), (2.0, 5.0)], 0.5, 2.5),
        ([(1.0, 5.0), (2.0, 5.0)], 3.0, 15.0),
    ],
)
def test_a_profile_comes_to_its_value_times_the_time(points, elapsed, whole):
    assert Profile(points).integral(elapsed) == pytest.approx(whole)


@pytest.mark.parametrize(("factor", "most", "whole"), [(2.0, 100.0, 6.0), (1.0, 1.5, 2.25), (2.0, 3.0, 4.5)])
def test_a_profile_may_be_scaled_and_cut_off(factor, most, whole):
    assert Profile(TRIANGLE).scaled(factor, most=most).integral(2.0) == pytest.approx(whole)


def test_a_step_that_is_cut_off_stays_a_step():
    cut = Profile(STEPS).scaled(1.0, most=3.0)
    assert [cut.at(elapsed) for elapsed in (0.5, 1.5)] == [2.0, 3.0]
