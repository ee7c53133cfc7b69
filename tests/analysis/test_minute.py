"""The last minute of a recording."""

from __future__ import annotations

import pytest

from pytest_twin.analysis.run.minute import BINS, RATE, SERIES, LastMinute
from pytest_twin.model.clock import Clock
from pytest_twin.telemetry import probes

CLOCK = Clock(0.0, 1_700_000_000.0)


def row(at, clock=CLOCK, **cells):
    return {"timestamp": clock.stamp(at), "elapsed_s": f"{at:.3f}", **{name: str(cell) for name, cell in cells.items()}}


def minute_of(*rows, **settings):
    minute = LastMinute(**settings)
    for each in rows:
        minute.add(each)
    return minute


def line(minute, name, count=60):
    return next(line for line in minute.lines(count) if line.series.name == name)


def names(minute):
    return [line.series.name for line in minute.lines(60)]


def test_every_series_has_a_column_of_its_unit():
    """A delta since the last row is in MiB, and is shown as a rate."""
    units = {column.name: column.unit for column in probes.all_columns(probes.find_modules())}
    for series in SERIES:
        if series.column:
            assert units[series.column] == ("MiB" if series.unit is RATE else series.unit)


def test_before_the_first_row_nothing_is_known():
    minute = LastMinute()
    assert (minute.lines(60), minute.rows, minute.elapsed_s, minute.interval) == ([], 0, None, None)


def test_a_row_tells_of_the_time_before_it():
    minute = minute_of(*(row(at, cpu_percent=10 * at) for at in (1, 2, 3, 5)))
    assert line(minute, "CPU").points[-6:] == [None, 10, 20, 30, 50, 50]
    assert line(minute, "CPU", 20).points[-2:] == [22, 50]  # three seconds each


def test_a_delta_is_shown_as_a_rate():
    minute = minute_of(*(row(at, disk_write_MB=3) for at in (1.0, 1.5, 3.5)))
    assert line(minute, "disk write", 120).points[-6:] == [None, 6, 1.5, 1.5, 1.5, 1.5]
    assert (line(minute, "disk write").now, line(minute, "disk write").most) == (1.5, 6)


def test_the_first_row_has_no_rate_since_nobody_knows_the_time_it_tells_of():
    minute = minute_of(row(1, disk_read_MB=5))
    assert (line(minute, "disk read").now, line(minute, "disk read").most) == (None, None)
    assert set(line(minute, "disk read").points) == {None}


def test_an_empty_cell_is_a_gap_and_no_zero():
    minute = minute_of(row(1, cpu_percent=20), row(2, cpu_percent=""), row(3, cpu_percent=40), row(4, cpu_percent=""))
    assert line(minute, "CPU").points[-4:] == [20, None, 40, None]
    assert line(minute, "CPU").now is None


@pytest.mark.parametrize("cell", ["", "nan", "inf", "what"])
def test_a_cell_that_is_no_number_is_no_value(cell):
    assert names(minute_of(row(1, cpu_percent=cell, ram_used_percent=5))) == ["memory"]


def test_cpu_is_parted_where_tests_run():
    minute = minute_of(row(1, cpu_percent=90, tests_cpu_percent=30, stress_cpu_percent=50))
    assert names(minute) == ["CPU", "tests", "stress", "rest"]
    assert line(minute, "rest").now == 10


def test_cpu_is_parted_where_loads_run_without_tests():
    minute = minute_of(row(1, cpu_percent=60, tests_cpu_percent="", stress_cpu_percent=50))
    assert names(minute) == ["CPU", "stress", "rest"]


def test_where_neither_runs_there_is_nothing_to_part():
    assert names(minute_of(row(1, cpu_percent=60, tests_cpu_percent="", stress_cpu_percent=0))) == ["CPU"]


def test_the_rest_is_never_below_zero():
    assert line(minute_of(row(1, cpu_percent=50, tests_cpu_percent=30, stress_cpu_percent=25)), "rest").now == 0


def test_pressure_is_shown_where_the_machine_has_it():
    cells = {"cpu_percent": 1, "pressure_io_percent": 2}
    assert names(minute_of(row(1, **cells))) == ["CPU", "pressure io"]


def test_what_is_now_is_the_mean_of_the_last_second():
    minute = minute_of(*(row(at / 10, cpu_percent=at % 2 * 100) for at in range(1, 51)))
    assert line(minute, "CPU").now == pytest.approx(50, abs=5)


def test_only_the_last_minute_is_kept():
    minute = minute_of(*(row(at / 4, cpu_percent=99 if at == 4 else 1) for at in range(1, 2000)))
    assert line(minute, "CPU").most == 1
    assert len(minute._bins) <= BINS + 1
    assert minute.rows == 1999


def test_a_row_of_more_than_a_minute_fills_the_minute():
    minute = minute_of(row(3600, cpu_percent=1), row(7200, cpu_percent=5))
    assert set(line(minute, "CPU").points[:-1]) == {5}


def test_points_move_and_do_not_change_as_time_goes_on():
    minute = minute_of(*(row(at / 2, cpu_percent=at) for at in range(1, 121)))
    before = line(minute, "CPU", 12).points
    for at in range(121, 131):
        minute.add(row(at / 2, cpu_percent=at))
    assert line(minute, "CPU", 12).points[:-2] == before[1:-1]


# The run


def test_the_interval_is_found_out_from_the_rows():
    assert minute_of(*(row(at / 10) for at in range(5, 20))).interval == pytest.approx(0.1)


def test_of_one_row_the_interval_is_taken_to_be_its_time():
    assert minute_of(row(10.0)).interval == 10


def test_rows_that_were_missed_are_counted():
    assert minute_of(*(row(at) for at in (1, 2, 5, 6.4, 7, 9)), interval=1.0).missed == 3


def test_a_row_that_is_late_is_not_missed():
    assert minute_of(*(row(at) for at in (1, 2.9, 3.0, 4.8, 5.01)), interval=1.0).missed == 0


def test_rows_that_were_left_out_count_as_rows():
    minute = LastMinute()
    minute.skip(100)
    minute.add(row(1))
    assert minute.rows == 101


def test_a_row_of_a_new_run_begins_anew():
    minute = minute_of(*(row(at, cpu_percent=90) for at in range(1, 100)))
    minute.add(row(1, Clock(0.0, CLOCK.epoch + 200), cpu_percent=10))
    assert (minute.rows, minute.elapsed_s, line(minute, "CPU").most) == (1, 1.0, 10)


def test_a_file_that_goes_on_as_another_keeps_the_minute():
    """The dataset was renamed and begun anew, by the same run."""
    minute = minute_of(*(row(at, cpu_percent=90) for at in range(1, 10)))
    minute.skip(0)
    minute.add(row(10, cpu_percent=10))
    assert (minute.rows, line(minute, "CPU").most, minute.missed) == (10, 90, 0)


def test_rows_of_an_earlier_run_in_the_same_file_are_left_out():
    later = Clock(0.0, CLOCK.epoch + 200)
    minute = LastMinute(epoch=later.epoch)
    minute.skip(50)
    minute.add(row(1, cpu_percent=90))
    minute.add(row(1, later, cpu_percent=10))
    assert (minute.rows, line(minute, "CPU").most) == (1, 10)


def test_a_row_without_a_time_is_left_out():
    assert minute_of({"cpu_percent": "5"}, {"timestamp": "soon", "elapsed_s": "1"}).rows == 0


# Faster than ten rows a second


def test_an_amount_that_is_told_each_tenth_row_is_the_rate_of_all_ten():
    """The sampler reads disks and networks ten times a second, however fast rows come."""
    rows = [row(at / 100, disk_write_MB=2 if at % 10 == 0 else 0, cpu_percent=at % 2) for at in range(100, 401)]
    minute = minute_of(*rows)
    written = line(minute, "disk write", BINS)
    assert written.points[-6:-1] == pytest.approx([20] * 5)
    assert (written.now, written.most) == (pytest.approx(20), pytest.approx(20))
    assert line(minute, "CPU").now == pytest.approx(0.5, abs=0.01)


def test_a_recording_that_went_on_later_has_missed_nothing():
    minute = minute_of(*(row(at, cpu_percent=90) for at in (1, 2, 3, 4000, 4001)), interval=1.0)
    assert (minute.rows, minute.missed) == (5, 0)


def test_rows_of_the_run_before_a_time_can_be_left_out():
    minute = minute_of(*(row(at, cpu_percent=at) for at in (1, 2, 30, 31)), epoch=CLOCK.epoch, since_s=29.5)
    assert (minute.rows, line(minute, "CPU").most) == (2, 31)
