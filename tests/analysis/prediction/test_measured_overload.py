"""What a run showed of an overload."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_twin.analysis.prediction.measured_overload import measure_overload

ENDS = np.arange(1, 41) * 0.25 + 0.1


def measured(busy, pressure=None, ends=ENDS, **given):
    values = {"step_s": 1.0, "duration_s": 10.0, **given}
    return measure_overload(ends, np.repeat(busy, 4), None if pressure is None else np.repeat(pressure, 4), **values)


def test_an_interval_is_overloaded_if_nearly_all_cpu_time_is_used_in_it():
    found = measured([0.5] * 4 + [1.0] * 4 + [0.5] * 2, [0.0] * 4 + [0.9] * 4 + [0.1] * 2, ends=ENDS - 0.1)
    assert found == pytest.approx((0.4, 0.38))


def test_samples_that_are_a_little_late_hardly_matter():
    assert measured([0.5] * 4 + [0.99] * 4 + [0.5] * 2).share == pytest.approx(0.4, abs=0.11)


def test_what_comes_after_the_recording_does_not_count():
    assert measured([0.5] * 5 + [1.0] * 5, ends=ENDS - 0.1, duration_s=5.0).share == 0.0


def test_what_is_not_known_is_none():
    assert measured([np.nan] * 10, [np.nan] * 10) == (None, None)
    assert measured([1.0] * 10).pressure is None
