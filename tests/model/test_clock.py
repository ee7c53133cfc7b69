"""The one clock of a run."""

import pytest

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
