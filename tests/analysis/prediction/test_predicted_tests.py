"""The tests of a profile beside a recording."""

from __future__ import annotations

import numpy as np
import pytest
from made_profiles import profile_rows
from made_recordings import of_frame, recording

from pytest_twin.analysis.prediction.predicted_tests import UnpredictableError, load_course, predict_tests
from pytest_twin.analysis.prediction.profiled_test import profiled_tests

NAMES = ("profile", "server.csv")
RISING = (1.0, 1.5, 2.0, 2.5, 3.0)
NAN = float("nan")


def predicted(recorded, **slowdowns):
    return predict_tests(NAMES, profiled_tests(profile_rows(**slowdowns)), recorded)


def test_a_test_beside_a_constant_load_is_as_slow_as_profiled():
    found = predicted(recording(cpu=[0.6] * 30), cpu=RISING)
    assert found.tests[0].slowdown.quantiles[0.5].largest == pytest.approx(2.2)
    assert (found.resources, found.duration_s, found.left_out) == (["cpu"], 30.0, 0.0)


def test_reads_and_writes_of_the_disk_add_up():
    found = predicted(recording(disk_read=[10e6] * 9, disk_write=[30e6] * 9), disk=RISING)
    assert found.tests[0].slowdown.quantiles[0.5].largest == pytest.approx(2.0)
    assert found.resources == ["disk"]


@pytest.mark.parametrize(
    ("together", "expected"), [((1.0, 1.5, 2.0, 2.5, 3.0), 2.0), ((1.0, 2.25, 4.0, 6.25, 9.0), 4.0)]
)
def test_loads_that_were_profiled_together_have_one_figure_and_no_range(together, expected):
    beside = recording(cpu=[0.5] * 30, disk_write=[40e6] * 30)
    (test,) = predicted(beside, cpu=RISING, disk=RISING, **{"cpu+disk": together}).tests
    found = test.slowdown.quantiles[0.5]
    assert (found.largest, found.product) == pytest.approx((expected, expected))
    assert found.low < expected < found.high
    assert not test.is_range


def test_loads_that_were_profiled_apart_have_a_range():
    (test,) = predicted(recording(cpu=[0.5] * 9, disk_write=[40e6] * 9), cpu=RISING, disk=RISING).tests
    found = test.slowdown.quantiles[0.5]
    assert (found.largest, found.product, test.is_range) == (pytest.approx(2.0), pytest.approx(4.0), True)


def test_a_load_that_is_not_recorded_has_no_part_in_what_was_profiled_together():
    (test,) = predicted(recording(cpu=[0.5] * 9), cpu=RISING, disk=RISING, **{"cpu+disk": RISING}).tests
    assert test.slowdown.quantiles[0.5].largest == pytest.approx(2.0)


def test_intervals_of_any_length_count_by_their_length():
    frame = recording(cpu=[0.0, 1.0, 0.0]).frame
    course, _ = load_course(of_frame(frame.set_axis([1.0, 1.5, 4.0], axis="index")), ["cpu"])
    assert course.durations == pytest.approx([1.0, 0.5, 2.5])


def test_intervals_without_a_value_are_left_out():
    found = predicted(recording(cpu=[1.0, NAN, 1.0, 1.0], disk_write=[NAN, 0.0, 0.0, 0.0]), cpu=RISING, disk=RISING)
    assert (found.duration_s, found.left_out) == (2.0, 0.5)
    assert found.tests[0].slowdown.quantiles[0.99].largest == pytest.approx(3.0)


def test_a_resource_that_is_hardly_recorded_is_not_used():
    found = predicted(recording(cpu=[1.0] * 9, disk_write=[1.0, *[NAN] * 8]), cpu=RISING, disk=RISING)
    assert (found.resources, found.duration_s) == (["cpu"], 9.0)


def test_a_test_without_a_measurement_under_these_loads_is_not_predicted():
    rows = [
        *profile_rows(cpu=RISING),
        *profile_rows("other", disk=RISING),
        *profile_rows("third", idle_s="", cpu=RISING),
    ]
    found = predict_tests(NAMES, profiled_tests(rows), recording(cpu=[0.5] * 9))
    assert [each.slowdown is None for each in found.tests] == [False, True, True]


@pytest.mark.parametrize("columns", [{"mem": [0.5] * 9}, {"cpu": [NAN] * 9}])
def test_a_recording_without_a_profiled_load_predicts_nothing(columns):
    with pytest.raises(
        UnpredictableError, match=r"^server\.csv has no values of cpu, which profile was profiled with$"
    ):
        predicted(recording(**columns), cpu=RISING)


def test_a_profile_without_a_measurement_predicts_nothing():
    nothing = (None,) * 5
    with pytest.raises(UnpredictableError, match=r"^profile has no slowdown by a load; profile for longer: --twin-pro"):
        predicted(recording(cpu=[0.5] * 9), cpu=nothing, quota=RISING)


def test_a_day_of_rows_is_predicted_at_once():
    cpu = np.tile([0.2, 0.8], 50_000)
    found = predicted(recording(cpu=cpu), cpu=RISING)
    assert found.tests[0].slowdown.quantiles[0.99].largest == pytest.approx(2.6)
