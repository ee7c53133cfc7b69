"""The predicted slowdown over all starts, against what can be computed by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pytest_twin.analysis.prediction import prediction
from pytest_twin.analysis.prediction.course import slowdowns_by_start
from pytest_twin.analysis.prediction.prediction import ExposedTest, LoadCourse, predict_slowdown
from pytest_twin.analysis.prediction.response import LoadResponse, MeasuredLevel

MEDIAN, P95, P99 = 0.5, 0.95, 0.99


@pytest.fixture(autouse=True)
def transfer_error(monkeypatch):
    """Sets how well a profile holds for a later run; it holds as it is by default."""

    def set_error(share):
        monkeypatch.setattr(prediction, "TRANSFER_ERROR", share)

    set_error(0.0)
    return set_error


def steep(spread=1.02):
    """A test that is not slowed up to half of the load, and four times at all of it."""
    levels = [(0.5, 1.0), (1.0, 4.0)]
    return LoadResponse.fit([MeasuredLevel(load, slow, slow / spread, slow * spread, 8) for load, slow in levels])


def course(**loads):
    arrays = {name: np.array(each, dtype=float) for name, each in loads.items()}
    return LoadCourse(np.ones(len(next(iter(arrays.values())))), arrays)


def predict(*parts, runs=None):
    return predict_slowdown(ExposedTest(*parts), runs)


def wave(low, high, period, rows=1200):
    return [low if row % period < period / 2 else high for row in range(rows)]


def test_beside_a_constant_load_every_figure_is_that_of_the_profile():
    found = predict(0.2, {"cpu": steep()}, course(cpu=[1.0] * 60))
    for share in (MEDIAN, P95, P99):
        one = found.quantiles[share]
        assert (one.largest, one.product) == pytest.approx((4.0, 4.0))
        assert one.low < 4.0 < one.high
        assert one.low > 4.0 / 1.05
        assert one.high < 4.0 * 1.05
    assert found.at_mean_load.largest == pytest.approx(4.0)
    assert found.beyond == {"cpu": 0.0}


def test_a_long_test_beside_a_square_wave_is_not_slowed_as_by_the_mean_load():
    found = predict(120.0, {"cpu": steep()}, course(cpu=wave(0.0, 1.0, 10)))
    # half of the time at full speed, half at a quarter: 1 / ((1 + 1/4) / 2)
    assert found.quantiles[MEDIAN].largest == pytest.approx(1.6, rel=0.01)
    assert found.at_mean_load.largest == pytest.approx(1.0)


def test_a_short_test_beside_a_square_wave_meets_one_level_or_the_other():
    found = predict(0.01, {"cpu": steep()}, course(cpu=wave(0.0, 1.0, 20)[5:]))
    assert [found.quantiles[share].largest for share in (P95, P99)] == pytest.approx([4.0, 4.0])
    rare = course(cpu=[1.0 if row % 100 < 3 else 0.0 for row in range(1200)])
    found = predict(0.01, {"cpu": steep()}, rare)
    assert [found.quantiles[share].largest for share in (MEDIAN, P95)] == pytest.approx([1.0, 1.0])
    assert found.quantiles[P99].largest == pytest.approx(4.0)


def test_a_load_above_the_highest_level_is_told():
    found = predict(0.01, {"cpu": steep()}, course(cpu=[0.2, 0.2, 0.2, 1.3]))
    assert found.beyond == {"cpu": 0.25}
    assert found.quantiles[P99].largest == pytest.approx(4.0)


def test_several_resources_give_a_range_from_the_largest_to_the_product():
    disk = LoadResponse.fit([MeasuredLevel(1e6, 2.0, 1.98, 2.02, 8)])
    found = predict(0.01, {"cpu": steep(), "disk": disk}, course(cpu=[1.0] * 20, disk=[1e6] * 20))
    one = found.quantiles[MEDIAN]
    assert (one.largest, one.product) == pytest.approx((4.0, 8.0))
    assert one.low < 4.0
    assert one.high > 8.0
    assert found.at_mean_load.product == pytest.approx(8.0)


def test_resources_that_are_loaded_in_turn_have_no_range():
    disk = LoadResponse.fit([MeasuredLevel(1.0, 4.0, 3.9, 4.1, 8)])
    loads = course(cpu=wave(0.0, 1.0, 2), disk=wave(1.0, 0.0, 2))
    one = predict(0.01, {"cpu": steep(), "disk": disk}, loads).quantiles[MEDIAN]
    assert (one.largest, one.product) == pytest.approx((4.0, 4.0))


def test_an_interval_contains_what_the_recording_leaves_open():
    draw = np.random.default_rng(3)
    days = np.repeat(draw.uniform(0.0, 1.0, 40), 30)  # 40 loads that last 30 s each, of which half slow the test
    wide, narrow = (predict(5.0, {"cpu": steep()}, course(cpu=loads)) for loads in (days, np.tile(days, 9)))
    widths = [each.quantiles[MEDIAN].high - each.quantiles[MEDIAN].low for each in (wide, narrow)]
    assert widths[1] < widths[0]


def test_too_few_repetitions_leave_no_interval():
    response = LoadResponse.fit([MeasuredLevel(1.0, 2.0, None, None, 2)])
    one = predict(1.0, {"cpu": response}, course(cpu=[0.5] * 10)).quantiles[MEDIAN]
    assert one == (pytest.approx(1.5), pytest.approx(1.5), None, None)


def test_one_interval_is_a_recording():
    one = predict(7.0, {"cpu": steep()}, course(cpu=[1.0])).quantiles[P99]
    assert one.largest == pytest.approx(4.0)


def test_a_prediction_is_the_same_each_time():
    loads = course(cpu=wave(0.2, 0.9, 14))
    assert predict(2.0, {"cpu": steep()}, loads) == predict(2.0, {"cpu": steep()}, loads)


def test_an_interval_of_few_runs_is_wider_than_that_of_all_starts():
    loads = course(cpu=wave(0.5, 1.0, 20))
    few, many, every = (predict(0.1, {"cpu": steep()}, loads, runs=runs).quantiles[MEDIAN] for runs in (5, 5000, None))
    assert (few.low, few.high) == pytest.approx((1.0, 4.0), rel=0.05)  # all five may meet the same level
    assert few.largest == many.largest == every.largest


def test_the_medians_of_few_runs_are_in_their_interval():
    ramp = course(cpu=np.linspace(0.5, 1.0, 600))
    one = predict(1.0, {"cpu": steep(1.0001)}, ramp, runs=9).quantiles[MEDIAN]
    draw = np.random.default_rng(5)
    medians = [
        np.median(slowdowns_by_start(ramp.durations, steep().at(ramp.loads["cpu"]), 1.0, draw.uniform(0.0, 600.0, 9)))
        for _ in range(400)
    ]
    assert np.mean([one.low <= each <= one.high for each in medians]) >= 0.85


def test_the_interval_of_few_runs_has_their_variation_under_the_same_load():
    constant = course(cpu=[1.0] * 60)
    steady, varying = (predict(0.1, {"cpu": steep(spread)}, constant, runs=4) for spread in (1.001, 1.1))
    widths = [each.quantiles[MEDIAN].high / each.quantiles[MEDIAN].low for each in (steady, varying)]
    assert widths[0] < 1.01
    assert widths[1] > 1.1**2  # the width for all start times


def test_an_interval_has_the_error_of_the_transfer_to_another_session(transfer_error):
    transfer_error(0.1)
    one = predict(0.1, {"cpu": steep(1.0001)}, course(cpu=[1.0] * 60)).quantiles[MEDIAN]
    borders = 4.0 ** (1 - 1.96 * 0.1), 4.0 ** (1 + 1.96 * 0.1)
    assert (one.low, one.high) == pytest.approx(borders, rel=0.05)
