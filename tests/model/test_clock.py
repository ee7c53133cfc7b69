"""The one clock of a run."""

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_twin.model.clock import Clock

CLOCK = Clock(began=1000.0, epoch=1_760_149_800.0)


def test_elapsed_time_comes_from_the_monotonic_clock():
    assert CLOCK.elapsed(1002.5) == 2.5


@pytest.mark.parametrize(
    ("elapsed", "stamp"),
    [(0.0, "2025-10-11T02:30:00.000Z"), (1.5, "2025-10-11T02:30:01.500Z"), (86400.25, "2025-10-12T02:30:00.250Z")],
)
def test_a_stamp_is_the_beginning_and_what_has_elapsed(elapsed, stamp):
    assert CLOCK.stamp(elapsed) == stamp


def test_stamps_go_on_within_a_second_and_into_the_next():
    clock = Clock(began=0.0, epoch=1_760_149_800.9994)
    assert [clock.stamp(elapsed)[-7:] for elapsed in (0.0, 0.001, 0.5, 0.0)] == [
        "00.999Z",
        "01.000Z",
        "01.499Z",
        "00.999Z",
    ]


def test_stamps_go_on_from_the_end_of_a_minute_into_the_next():
    clock = Clock(began=0.0, epoch=1_760_149_859.0)
    stamps = [clock.stamp(elapsed)[-10:] for elapsed in (0.9994, 0.9996, 1.0, 0.9994)]
    assert stamps == ["30:59.999Z", "31:00.000Z", "31:00.000Z", "30:59.999Z"]


@given(st.lists(st.floats(0, 1e7), max_size=5))
def test_a_stamp_does_not_depend_on_those_before_it(moments):
    clock = Clock(began=1000.0, epoch=1_760_149_800.0)
    for elapsed in moments:
        found = datetime.fromisoformat(clock.stamp(elapsed)).timestamp()
        assert found == pytest.approx(clock.epoch + elapsed, abs=0.0011)
