"""A recording as a load."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from whatever import tried

from pytest_twin.model.load import Load
from pytest_twin.model.replay import ReplayError, replayed
from pytest_twin.stressors import kinds
from pytest_twin.stressors.kind import RATE, SHARE

KINDS = kinds()
NO_ORDER = "needs at least two rows, in the order of their time (elapsed_s or timestamp)"
NOTHING_SHOWN = "has none of cpu_percent, value, ram_used_percent, disk_write_MB"
CELLS = (
    st.sampled_from(["", "x", "nan", "inf", "-5", "0", "50", "100", "1e3"])
    | st.floats(-10, 200).map(str)
    | st.text(max_size=5)
)
TIMES = st.sampled_from(["", "x", "0", "1", "2.5"]) | st.floats(0, 100).map(str)
COLUMNS = ("timestamp", "cpu_percent", "value", "ram_used_percent", "disk_write_MB")
ROWS = st.lists(st.fixed_dictionaries({"elapsed_s": TIMES}, optional=dict.fromkeys(COLUMNS, CELLS)), max_size=5)


def rows(column, *values, step=2):
    return [{"elapsed_s": str(at * step), column: value} for at, value in enumerate(values)]


def part(rows):
    load, _ = replayed(rows, "prod.csv", KINDS)
    (only,) = load.parts
    return only


def error(rows):
    with pytest.raises(ReplayError) as caught:
        replayed(rows, "prod.csv", KINDS)
    return str(caught.value)


def test_each_share_of_the_cpu_holds_for_the_time_its_row_tells_of():
    cpu = part(rows("cpu_percent", "25", "50"))
    assert (cpu.kind.keyword, cpu.text, cpu.unit) == ("cpu", "prod.csv", SHARE)
    assert cpu.profile == ((0.0, 0.25), (2.0, 0.25), (2.0, 0.5), (4.0, 0.5))


def test_a_recording_lasts_as_long_as_its_rows_tell_of():
    assert replayed(rows("cpu_percent", "25", "50", "75"), "prod.csv", KINDS)[1] == 6.0


def test_a_share_of_the_cpu_outside_0_to_100_is_cut():
    assert [value for _, value in part(rows("cpu_percent", "-5", "130")).profile] == [0.0, 0.0, 1.0, 1.0]


def test_memory_is_replayed_as_far_as_it_rose():
    memory = part(rows("ram_used_percent", "40", "50", "30"))
    assert (memory.kind.keyword, memory.unit) == ("mem", SHARE)
    assert memory.profile == ((0.0, 0.1), (2.0, 0.2), (4.0, 0.0))


def test_the_disk_gets_what_was_written_as_a_rate():
    disk = part(rows("disk_write_MB", "4", "0"))
    assert (disk.kind.keyword, disk.unit) == ("disk", RATE)
    assert disk.profile == ((0.0, 2 * 2**20), (2.0, 2 * 2**20), (2.0, 0.0), (4.0, 0.0))


def test_a_two_column_file_is_taken_for_cpu_percent():
    recorded = [{"timestamp": f"2025-10-11 02:30:0{at}", "value": "50"} for at in range(3)]
    assert part(recorded).kind.keyword == "cpu"
    assert replayed(recorded, "x.csv", KINDS)[1] == 3.0


def test_cpu_percent_goes_before_a_mere_value():
    recorded = [{**row, "value": "90"} for row in rows("cpu_percent", "10", "10")]
    assert part(recorded).profile[0] == (0.0, 0.1)


def test_every_kind_that_a_dataset_shows_is_replayed():
    recorded = [
        {"elapsed_s": "0", "cpu_percent": "5", "ram_used_percent": "30", "disk_write_MB": "1"},
        {"elapsed_s": "1", "cpu_percent": "5", "ram_used_percent": "40", "disk_write_MB": "1"},
    ]
    assert [part.kind.keyword for part in replayed(recorded, "x.csv", KINDS)[0].parts] == ["cpu", "mem", "disk"]


def test_a_row_without_a_value_is_covered_by_the_next_one_that_has_it():
    assert part(rows("disk_write_MB", "2", "", "4")).profile == (
        *((0.0, 2**20), (2.0, 2**20)),
        *((2.0, 2**20), (6.0, 2**20)),
    )


def test_elapsed_time_goes_before_the_time_stamp():
    recorded = [{**row, "timestamp": "2025-10-11T02:30:00"} for row in rows("cpu_percent", "5", "5")]
    assert replayed(recorded, "x.csv", KINDS)[1] == 4.0


def test_a_time_stamp_with_and_one_without_a_zone_are_both_utc():
    recorded = [
        {"timestamp": "2025-10-11T02:30:00", "value": "5"},
        {"timestamp": "2025-10-11T02:30:01.500Z", "value": "5"},
        {"timestamp": "2025-10-11T04:30:03+02:00", "value": "5"},
    ]
    assert replayed(recorded, "x.csv", KINDS)[1] == 4.5


def test_a_kind_that_is_not_there_is_left_out():
    recorded = [{**row, "disk_write_MB": "1"} for row in rows("cpu_percent", "5", "5")]
    load, _ = replayed(recorded, "x.csv", {"disk": KINDS["disk"]})
    assert [part.kind.keyword for part in load.parts] == ["disk"]


@pytest.mark.parametrize(
    "recorded", [[], rows("value", "5"), rows("value", "5", "5", step=0), rows("value", "5", "5", step=-1)]
)
def test_a_recording_needs_two_rows_in_order(recorded):
    assert error(recorded) == NO_ORDER


@pytest.mark.parametrize("values", [("0", "0"), ("", ""), ("nan", "inf")])
def test_a_recording_that_shows_nothing_says_what_it_should_have(values):
    assert error(rows("cpu_percent", *values)) == NOTHING_SHOWN


def test_a_recording_without_known_columns_says_what_it_should_have():
    assert error(rows("temperature", "40", "41")) == NOTHING_SHOWN


@pytest.mark.parametrize(
    "row", [{"value": "5"}, {"timestamp": "yesterday"}, {"elapsed_s": "x"}, {"elapsed_s": "", "timestamp": None}]
)
def test_a_row_without_a_time_is_shown(row):
    assert error([row]) == f"{row!r} has no time (elapsed_s or timestamp)"


def test_a_long_row_without_a_time_is_cut():
    assert error([{"value": "5" * 100}]) == "{'value': '" + "5" * 86 + "... has no time (elapsed_s or timestamp)"


def test_a_value_that_is_no_number_is_shown_with_its_column():
    assert error(rows("cpu_percent", "5", "high")) == "cpu_percent: 'high' is not a number"


@pytest.mark.parametrize("time", ["nan", "inf", "-inf"])
def test_a_time_that_is_not_finite_is_no_time(time):
    row = {"elapsed_s": time, "value": "5"}
    assert error([{"elapsed_s": "0", "value": "5"}, row]) == f"{row!r} has no time (elapsed_s or timestamp)"


def test_a_rise_of_memory_over_100_percent_is_cut():
    assert max(value for _, value in part(rows("ram_used_percent", "0", "250")).profile) == 1.0


@given(ROWS)
@settings(max_examples=200, deadline=None)
def test_whatever_the_rows_are_they_are_a_load_or_a_replay_error_of_one_line(rows):
    replay, problem = tried(ReplayError, replayed, rows, "x.csv", KINDS)
    if problem:
        assert len(str(problem).splitlines()) == 1
        return
    load, lasts = replay
    assert isinstance(load, Load)
    assert load.parts
    for one in load.parts:
        times = [at for at, _ in one.profile]
        assert times == sorted(times)
        assert times[0] >= -1e-6
        assert times[-1] <= lasts * (1 + 1e-9)
        assert all(0 <= value < math.inf for _, value in one.profile)


@given(st.lists(st.floats(0, 100), min_size=2, max_size=20), st.floats(0.1, 10))
@settings(max_examples=60, deadline=None)
def test_a_replay_asks_for_as_much_cpu_time_as_was_recorded(shares, step):
    recorded = [{"elapsed_s": repr(at * step), "cpu_percent": repr(share)} for at, share in enumerate([*shares, 1.0])]
    profile = part(recorded).profile
    asked = sum((late - early) * value for (early, value), (late, _) in zip(profile[::2], profile[1::2], strict=True))
    assert asked == pytest.approx(step * (sum(shares) + 1.0) / 100)


def test_what_was_written_in_some_rows_is_the_rate_of_the_rows_before_them_too():
    """Faster than ten rows a second, the disks are read for some rows only."""
    recorded = rows("disk_write_MB", *(1 if at % 10 == 0 else 0 for at in range(1, 101)), step=0.01)
    rates = [rate / 2**20 for _, rate in part(recorded).profile]
    assert max(rates) < 12
    assert rates[-10:] == pytest.approx([10] * 10)
