"""A recording as a load."""

import math
from dataclasses import replace

import pytest
from any_values import tried
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_twin.loads.schedule import replay as replay_module
from pytest_twin.loads.schedule.replay import fill_machine, replay_of, without_idle
from pytest_twin.loads.schedule.schedule import Schedule, ScheduledLoad, ScheduleError
from pytest_twin.loads.spec import Load
from pytest_twin.model.machine_formats.parser import RecordingError, parse_text
from pytest_twin.run_folder.schedule_file import open_schedule
from pytest_twin.stressors import find_kinds
from pytest_twin.stressors.spec.kind import RATE, SHARE
from pytest_twin.stressors.spec.request import WHOLE

KINDS = find_kinds()
WANTED = "cpu_percent (or value), ram_used_percent, disk_read_MB, disk_write_MB, net_sent_MB, net_recv_MB"
NAMES = "cpu_percent, ram_used_percent, disk_write_MB"
KNOWN_TIMES = "write times such as 2026-11-28T10:00:00Z, or seconds or milliseconds since 1970"
CELLS = (
    st.sampled_from(
        ["", "x", "nan", "inf", "-5", "0", "50", "100", "1e3", "12,5", '"12,5"', "5%", '"', "1e999", "81000"]
    )
    | st.floats(-10, 200).map(str)
    | st.text(max_size=5)
)
STAMPS = st.sampled_from(
    ["", "x", "0", "1", "2.5", "1764324000", "1764324000123", "2026-11-28 10:00", "28/11/2026 10:00", "28 Nov 2026",
     "11/28/2026 10:00", "05/11/2026 10:00", "0000-00-00", "9999-12-31T23:59:59-23:59", "10:00:00", "1e99", "nan"]
)  # fmt: skip
TIMES = STAMPS | st.floats(0, 100).map(str)
COLUMNS = ("elapsed_s", "timestamp", "Time", "Date", "cpu_percent", "Value", "Average", "Unit", "ram_used_percent",
           "disk_write_MB", "CPU busy %", "", "x")  # fmt: skip
LINES = st.lists(st.lists(TIMES | CELLS, max_size=4), max_size=6)
TABLES = st.builds(
    lambda names, lines, mark, end: end.join(mark.join(cells) for cells in [names, *lines]) + end,
    st.lists(st.sampled_from(COLUMNS), min_size=1, max_size=4), LINES, st.sampled_from(",;\t"),
    st.sampled_from(["\n", "\r\n", "\r"]),
)  # fmt: skip


def table(heading, *lines):
    return "".join(f"{line}\n" for line in (heading, *lines))


def rows(column, *values, step=2):
    return table(f"elapsed_s,{column}", *(f"{at * step},{value}" for at, value in enumerate(values)))


def replay(text, kinds=KINDS):
    return replay_of(parse_text(text), "prod.csv", kinds)


def part(text):
    (only,) = replay(text).load.parts
    return only


def lasts(text):
    return replay(text).duration_s


def shares(text):
    """The values of the load, each once."""
    return [value for _, value in part(text).profile[::2]]


def problems(text):
    with pytest.raises(RecordingError) as caught:
        replay(text)
    return list(caught.value.problems)


def error(text):
    (only,) = problems(text)
    return only


def times(*cells, name="timestamp"):
    """The seconds between the rows of a recording that has these times."""
    points = part(table(f"{name};value", *(f"{cell};{at + 1}" for at, cell in enumerate(cells)))).profile
    return [round(until - since, 6) for (since, _), (until, _) in zip(points[2::2], points[3::2], strict=True)]


def test_each_share_of_the_cpu_holds_for_the_time_its_row_tells_of():
    cpu = part(rows("cpu_percent", "25", "50"))
    assert (cpu.kind.keyword, cpu.text, cpu.unit) == ("cpu", "prod.csv", SHARE)
    assert cpu.profile == ((0.0, 0.25), (2.0, 0.25), (2.0, 0.5), (4.0, 0.5))


def test_a_recording_lasts_as_long_as_its_rows_tell_of():
    assert lasts(rows("cpu_percent", "25", "50", "75")) == 6.0


def test_a_share_of_the_cpu_outside_0_to_100_is_cut():
    assert [value for _, value in part(rows("cpu_percent", "-5", "130")).profile] == [0.0, 0.0, 1.0, 1.0]


def test_memory_is_replayed_as_far_as_it_rose():
    memory = part(rows("ram_used_percent", "40", "50", "30"))
    assert (memory.kind.keyword, memory.unit) == ("mem", SHARE)
    assert [at for at, _ in memory.profile] == [2.0, 4.0, 6.0]
    assert [value for _, value in memory.profile] == pytest.approx([0.1, 0.2, 0.0])


def test_the_disk_gets_what_was_written_as_a_rate():
    disk = part(rows("disk_write_MB", "4", "0"))
    assert (disk.kind.keyword, disk.unit) == ("disk", RATE)
    assert disk.profile == ((0.0, 2 * 2**20), (2.0, 2 * 2**20), (2.0, 0.0), (4.0, 0.0))


def test_a_two_column_file_is_taken_for_cpu_percent():
    recorded = table("timestamp,value", *(f"2025-10-11 02:30:0{at},50" for at in range(3)))
    assert part(recorded).kind.keyword == "cpu"
    assert lasts(recorded) == 3.0


def test_cpu_percent_goes_before_a_mere_value():
    assert shares(table("elapsed_s,value,cpu_percent", "0,90,10", "1,90,10")) == [0.1, 0.1]


def test_every_kind_that_a_dataset_shows_is_replayed():
    names = "cpu_percent,ram_used_percent,disk_write_MB,disk_read_MB,net_sent_MB,net_recv_MB"
    found = replay(table(f"elapsed_s,{names}", "0,5,30,1,3,2,9", "1,5,40,1,3,2,9"))
    assert [part.kind.keyword for part in found.load.parts] == ["cpu", "mem", "disk", "disk", "net"]
    assert [part.options.get("pattern") for part in found.load.parts[2:4]] == [None, 1.0]
    assert [part.peak / 2**20 for part in found.load.parts[2:]] == [1, 3, 2]
    assert found.remarks == ["traffic over a network is replayed over the loopback interface"]


def test_a_long_recording_is_averaged_and_told():
    found = replay(rows("cpu_percent", *[10, 30] * 50_001, step=1))
    (cpu,) = found.load.parts
    assert len(cpu.profile) < 100_000
    assert sum((until - since) * value for (since, value), (until, _) in zip(
        cpu.profile[::2], cpu.profile[1::2], strict=True)) == pytest.approx(0.2 * 100_002)  # fmt: skip
    assert found.remarks == ["3 rows each are averaged, since it has 100002; play a part of it for each row"]


def test_a_row_without_a_value_is_covered_by_the_next_one_that_has_it():
    assert part(rows("disk_write_MB", "2", "", "4")).profile == (
        *((0.0, 2**20), (2.0, 2**20)),
        *((2.0, 2**20), (6.0, 2**20)),
    )


def test_elapsed_time_goes_before_the_time_stamp():
    stamp = "2025-10-11T02:30:00"
    assert lasts(table("timestamp,elapsed_s,value", f"{stamp},0,5", f"{stamp},2,5")) == 4.0


def test_a_time_stamp_with_and_one_without_a_zone_are_both_utc():
    assert times("2025-10-11T02:30:00", "2025-10-11T02:30:01.500Z", "2025-10-11T04:30:03+02:00") == [1.5, 1.5]


def test_a_kind_that_is_not_there_is_left_out():
    recorded = table("elapsed_s,cpu_percent,disk_write_MB", "0,5,1", "1,5,1")
    load = replay(recorded, {"disk": KINDS["disk"]}).load
    assert [part.kind.keyword for part in load.parts] == ["disk"]


@pytest.mark.parametrize("recorded", [rows("value"), rows("value", "5")])
def test_a_recording_needs_two_rows(recorded):
    assert error(recorded) == "has fewer than two rows"


@pytest.mark.parametrize("text", ["", "\n \n", "\ufeff", "# nothing\n"])
def test_an_empty_file_is_told(text):
    assert error(text) == "is empty"


@pytest.mark.parametrize("values", [("0", "0"), ("", ""), ("nan", "inf")])
def test_a_recording_that_shows_nothing_says_what_it_should_have(values):
    assert error(rows("cpu_percent", *values)) == ("has nothing to replay: no value above 0 in cpu_percent")


def test_a_recording_without_known_columns_says_what_it_has():
    assert error(rows("temperature", "40", "41")) == (
        f"has no column of CPU, memory, disk or network: name it {WANTED}; it has 'temperature'"
    )


def test_a_value_that_is_no_number_is_shown_with_its_place():
    assert error(rows("cpu_percent", "5", "high")) == "row 3: cpu_percent: 'high' is not a number"


def test_of_many_bad_rows_the_first_are_told():
    told = problems(rows("cpu_percent", *["high"] * 9))
    assert told == [*(f"row {at}: cpu_percent: 'high' is not a number" for at in (2, 3, 4)), "and 6 more rows"]


# Times


@pytest.mark.parametrize(
    "cells",
    [
        ("1764324000", "1764324060"),
        ("1764324000.5", "1764324060.5"),
        ("1764324000000", "1764324060000"),
        ("1764324000000000", "1764324060000000"),
        ("1764324000000000001", "1764324060000000001"),
        ("1764324000,5", "1764324060,5"),
        ("2026-11-28 10:00", "2026-11-28 10:01"),
        ("2026-11-28T10:00:00Z", "2026-11-28T10:01:00.000000000Z"),
        ("2026-11-28T10:00:00+01:00", "2026-11-28T09:01:00+0000"),
        ("2026-11-28 10:00:00 +0100", "2026-11-28 10:01:00 +0100"),
        ("2026-11-28 10:00:00 UTC", "2026-11-28 10:01:00 +0000 UTC"),
        ("2026/11/28 10:00:00", "2026/11/28 10:01:00"),
        ("20261128T100000Z", "20261128T100100Z"),
        ("20261128100000", "20261128100100"),
        ("2026-11-28 10:00:00,123", "2026-11-28 10:01:00,123"),
        ("28/11/2026 10:00", "28/11/2026 10:01"),
        ("11/28/2026 10:00", "11/28/2026 10:01"),
        ("28-11-2026 10:00:00", "28-11-2026 10:01:00"),
        ("28.11.2026 10:00", "28.11.2026 10:01"),
        ("11/27/2026 11:59 PM", "11/28/2026 12:00 AM"),
        ("28 Nov 2026 10:00:00", "28 Nov 2026 10:01:00"),
        ("28/Nov/2026:10:00:00 +0000", "28/Nov/2026:10:01:00 +0000"),
        ("Nov 28, 2026 10:00:00 am", "November 28, 2026 10:01:00 am"),
        ("Sat, 28 Nov 2026 10:00:00 +0000", "Sat, 28 Nov 2026 10:01:00 GMT"),
    ],
)
def test_times_are_read_as_people_and_programs_write_them(cells):
    assert times(*cells) == [60]


def test_the_rows_tell_whether_the_day_stands_first():
    assert times("01/11/2026 10:00", "02/11/2026 10:00", "13/11/2026 10:00") == [86400, 11 * 86400]
    assert times("11/01/2026 10:00", "11/02/2026 10:00", "11/13/2026 10:00") == [86400, 11 * 86400]
    assert times("12/02/2026 10:00", "01/03/2026 10:00", "02/03/2026 10:00") == [17 * 86400, 86400]


def test_where_both_readings_are_as_far_apart_it_does_not_matter():
    assert times("05/11/2026 10:00", "05/11/2026 10:05") == [300]


def test_dates_with_points_have_the_day_first():
    assert times("05.11.2026 10:00", "06.11.2026 10:00") == [86400]


def test_dates_of_which_nothing_tells_the_order_are_refused():
    assert error(table("timestamp,value", "05/11/2026 10:00,5", "06/11/2026 10:00,5")) == (
        "row 2: timestamp: '05/11/2026 10:00' is ambiguous: day first or month first, and no row shows which; "
        "write dates such as 2026-11-28"
    )


def test_dates_of_both_orders_are_refused():
    assert error(table("timestamp,value", "28/11/2026 10:00,5", "11/28/2026 10:01,5")) == (
        "row 3: timestamp: '11/28/2026 10:01' has the month first, but '28/11/2026 10:00' above it has the day first"
    )


@pytest.mark.parametrize(
    ("cell", "said"),
    [
        ("", "is empty"),
        ("yesterday", f"'yesterday' is not a time; {KNOWN_TIMES}"),
        ("2026-02-30 10:00", "'2026-02-30 10:00' is not a valid date"),
        ("2026-11-28 25:00", "'2026-11-28 25:00' is not a time of day"),
        ("2026-11-28 13:00 pm", "'2026-11-28 13:00 pm' is not a time of day"),
        ("0000-01-01 10:00", "'0000-01-01 10:00' is not a valid date"),
        ("10:00:00", "'10:00:00' has no date; write 2026-11-28 in front of it"),
        ("28/11/26 10:00", "'28/11/26 10:00' has a year of two digits; write dates such as 2026-11-28"),
        ("2026-11-28 10:00 CET", "'2026-11-28 10:00 CET' names a time zone; write its offset, such as +01:00"),
    ],
)
def test_a_time_that_cannot_be_read_says_why(cell, said):
    assert error(table("timestamp,value", "2026-11-28 09:00,5", f"{cell},5")) == f"row 3: timestamp: {said}"


@pytest.mark.parametrize("cell", ["nan", "inf", "-inf", "x", ""])
def test_seconds_that_are_none_are_told(cell):
    assert (
        error(table("elapsed_s,value", "0,5", f"{cell},5")) == f"row 3: elapsed_s: {cell!r} is not a number of seconds"
    )


def test_seconds_and_milliseconds_are_not_mixed():
    assert error(table("time,value", "1764324000,5", "1764324060000,5")) == (
        "row 3: time: 1764324060000 seems to be in milliseconds, but the first row in seconds"
    )


def test_the_newest_row_may_come_first():
    assert shares(table("elapsed_s,value", "4,30", "2,20", "0,10")) == [0.1, 0.2, 0.3]


def test_a_row_that_is_not_in_order_is_told():
    assert error(table("elapsed_s,value", "0,5", "2,5", "1,5", "3,5")) == (
        "row 4: elapsed_s: '1' is earlier than the row above; sort the rows by time"
    )


def test_rows_of_the_same_time_are_taken_together_and_told():
    found = replay(table("elapsed_s,cpu_percent,disk_write_MB", "0,10,1", "1,20,1", "1,40,1", "2,10,1"))
    assert [[value for _, value in part.profile[::2]] for part in found.load.parts] == [
        [0.1, pytest.approx(0.3), 0.1], [2**20, 2 * 2**20, 2**20],
    ]  # fmt: skip
    assert found.remarks == [
        "row 4: elapsed_s: '1' is the time of another row too; rows with the same time were merged (1 in all)"
    ]


def test_a_table_of_several_series_is_refused():
    assert error(table("Time,Series,Value", "1,a,5", "1,b,6", "2,a,5", "2,b,6")) == (
        "row 3: Time: '1' is the time of another row too, as in half of the rows; keep the rows of one series"
    )


@pytest.mark.parametrize(("heading", "name"), [("value", "value"), ("host,value", "host")])
def test_a_table_without_times_is_told(heading, name):
    assert error(table(heading, *[",".join("x" for _ in heading.split(","))] * 2)) == (
        "row 1: has no column of times; name it timestamp, or elapsed_s where it has seconds"
    )


def test_a_table_without_a_heading_is_told():
    assert error(table("2014-02-14 14:27:00,51.8", "2014-02-14 14:32:00,44.5", "2014-02-14 14:37:00,44.5")) == (
        "row 1: has no names of columns; put a line such as timestamp,value above it"
    )


# What programs export


@pytest.mark.parametrize(
    "text",
    [
        table("timestamp,value", "2014-02-14 14:27:00,25.0", "2014-02-14 14:32:00,50.0"),
        table("timestamp, value", "2014-02-14 14:27:00, 25.0", "2014-02-14 14:32:00, 50.0"),
        table("Timestamp,Average,Unit", "2014-02-14T14:27:00Z,25.0,Percent", "2014-02-14T14:32:00Z,50.0,Percent"),
        "\ufeff" + table('"Time","CPU Busy"', '"2026-11-28 10:00:00","25%"', '"2026-11-28 10:05:00","50 %"'),
        table("Series;Time;Value", "a;2026-11-28T10:00:00+01:00;25,0", "a;2026-11-28T10:05:00+01:00;50,0"),
        table("sep=;", "Zeit;value", "28.11.2026 10:00;25", "28.11.2026 10:05;50"),
        table("Date\tTime\tCPU", "28.11.2026\t10:00\t25,0", "28.11.2026\t10:05\t50\xa0%"),
        table("#group,false", ",result,_time,_value", ",,2026-11-28T10:00:00Z,25", ",,2026-11-28T10:05:00Z,50"),
        table("time,cpu_usage_percent", "1764324000,25", "1764324300,50").replace("\n", "\r\n"),
        table("timestamp,value,", "1764324000000,25,", "1764324300000,50,").removesuffix("\n"),
        table("timestamp,value", "1764324000000,25", "timestamp,value", "1764324300000,50"),
    ],
    ids=[
        "NAB",
        "blank",
        "CloudWatch",
        "Grafana",
        "old Grafana",
        "Excel",
        "two columns",
        "InfluxDB",
        "lines",
        "end",
        "two",
    ],
)
def test_what_monitoring_systems_export_is_read(text):
    assert part(text).profile == ((0.0, 0.25), (300.0, 0.25), (300.0, 0.5), (600.0, 0.5))


def test_what_a_monitoring_system_has_no_value_for_is_missing():
    text = table("Time,Value", *(f"{at},{cell}" for at, cell in enumerate(["5", "", "null", "NaN", "undefined", "5"])))
    assert part(text).profile == ((0, 0.05), (1, 0.05), (1, 0.05), (6, 0.05))


@pytest.mark.parametrize("unit", ["Bytes", "Count", "Kilobytes/Second"])
def test_an_average_of_something_else_is_no_share_of_the_cpu(unit):
    assert error(table("Timestamp,Average,Unit", f"1,5,{unit}", f"2,5,{unit}")) == (
        f"row 2: Unit: '{unit}' is not a share of the CPU; name the column after what it has: {NAMES}"
    )


def test_a_value_far_over_100_is_no_share_of_the_cpu():
    assert error(table("timestamp,value", "1,5", "2,19949200.0")) == (
        f"row 3: value: 19949200 is not a CPU percentage; name the column after what it has: {NAMES}"
    )


def test_a_decimal_comma_between_commas_is_told():
    assert error(table("timestamp,value", "1,5", "2,5,5")) == (
        "row 3: has 3 cells, but the header has 2; "
        "if a number has a decimal comma, write a point, or separate the cells with ;"
    )
    assert error(table("timestamp,value", "1,5", '2,"5,5"')) == (
        "row 3: value: '5,5' is not a number; write decimals with a point"
    )


def test_a_row_that_lacks_cells_is_told():
    assert error(table("elapsed_s,value,x", "1,5,", "2,5")) == "row 3: has 2 cells, but the header has 3"


def test_a_column_that_is_there_twice_is_told():
    assert error(table("time,value,value", "1,5,6")) == "row 1: column 'value' appears twice"


def test_a_quote_without_an_end_is_told():
    assert error('time,value\n1,5\n2,"5\n').startswith("row 3: is not CSV: ")


def test_a_last_row_of_ours_that_was_cut_off_is_left_out():
    assert lasts(rows("cpu_percent", "5", "5", "5")[:-1]) == 4.0


# Running totals


def totals(*values):
    return replay(rows("disk_write_MB", *values, step=1))


def rates(found):
    """MiB a second."""
    return [value / 2**20 for _, value in found.load.parts[0].profile[::2]]


def test_of_a_running_total_its_growth_is_replayed_and_told():
    found = totals(81000, 81002, 81002, 81010, 81011)
    assert rates(found) == [2, 0, 8, 1]
    assert found.remarks == ["disk_write_MB is a running total (81000 to 81011): its growth is read"]


def test_a_running_total_may_begin_anew():
    assert rates(totals(81000, 81002, 81004, 3, 5, 6)) == [2, 2, 3, 2, 1]


def test_a_running_total_of_a_young_machine_is_seen_by_its_many_rises():
    assert rates(totals(*(500 + 100 * at for at in range(30)))) == [100] * 29


def test_a_running_total_from_0_on_is_seen_where_no_disk_writes_so_much():
    assert rates(totals(*(9000 * at for at in range(9)))) == [9000] * 8


@pytest.mark.parametrize(
    "values",
    [
        [4] * 9,  # steady
        list(range(30)),  # ramps
        [5 * at for at in range(9)],
        [1, 2, 4, 8, 16, 32],
        [5, 5, 5, 5, 6, 6],
        [500, 0, 0, 300, 0, 200, 0, 0, 0],  # bursts
        [500, 0, 0, 0, 0, 0, 0, 10, 10, 10],
        [100, 101, 99, 100, 102, 98],  # noise
        [81000 / 100, 0, 810],
        [7, 8],
    ],
)
def test_a_rate_is_no_running_total(values):
    found = totals(*values)
    assert rates(found) == values
    assert found.remarks == []


def test_more_than_any_disk_writes_is_refused():
    assert error(rows("disk_write_MB", "5", "99999", step=1)) == (
        "row 3: disk_write_MB: is a rate of 104.9 GB/s, but no disk writes more than 16 GB/s; give the MB of each row"
    )


def test_a_total_that_stands_still_is_no_rate_of_a_disk():
    assert error(rows("disk_write_MB", *["81000"] * 5, step=1)).startswith(
        "row 2: disk_write_MB: is a rate of 84.93 GB/s"
    )


# Whatever goes in


def test_a_rise_of_memory_over_100_percent_is_cut():
    assert max(value for _, value in part(rows("ram_used_percent", "0", "250")).profile) == 1.0


@given(TABLES | st.text())
@settings(max_examples=200, deadline=None)
def test_whatever_the_text_is_it_is_a_load_or_problems_of_one_line_each(text):
    found, problem = tried(RecordingError, replay, text)
    if problem:
        assert all(len(line.splitlines()) == 1 for line in problem.problems)
        return
    load, lasts, _ = found
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
    recorded = table(
        "elapsed_s,cpu_percent", *(f"{at * step:.9f},{share!r}" for at, share in enumerate([*shares, 1.0]))
    )
    profile = part(recorded).profile
    asked = sum((late - early) * value for (early, value), (late, _) in zip(profile[::2], profile[1::2], strict=True))
    assert asked == pytest.approx(step * (sum(shares) + 1.0) / 100, rel=1e-6)


def test_what_was_written_in_some_rows_is_the_rate_of_the_rows_before_them_too():
    """Faster than ten rows a second, the disks are read for some rows only."""
    recorded = rows("disk_write_MB", *(1 if at % 10 == 0 else 0 for at in range(1, 101)), step=0.01)
    rates = [rate / 2**20 for _, rate in part(recorded).profile]
    assert max(rates) < 12
    assert rates[-10:] == pytest.approx([10] * 10)


def test_a_recording_is_read_in_blocks_and_as_a_text_alike(tmp_path):
    rows = "".join(f"{at},{at % 90}\n" for at in range(1, 200_000))
    (tmp_path / "long.csv").write_text(f"elapsed_s,cpu_percent\n{rows}", encoding="utf-8", newline="\r\n")
    (tmp_path / "plan.json").write_text('{"events": [{"replay": "long.csv", "to": "5m"}]}', encoding="utf-8")
    texts = {}
    as_text = open_schedule(tmp_path / "plan.json", KINDS, texts)
    assert texts.keys() == {"plan.json", "long.csv"}
    assert open_schedule(tmp_path / "plan.json", KINDS) == as_text


@pytest.mark.parametrize("start", [b"\xff\xfet\0i\0", b"t\0i\0m\0", b"timestamp,value\n\xff,1\n"])
def test_a_recording_that_is_no_text_is_refused_in_blocks_and_as_a_text_alike(tmp_path, start):
    (tmp_path / "bad.csv").write_bytes(start)
    (tmp_path / "plan.json").write_text('{"events": [{"replay": "bad.csv"}]}', encoding="utf-8")
    for texts in ({}, None):
        with pytest.raises(ScheduleError) as caught:
            open_schedule(tmp_path / "plan.json", KINDS, texts)
        assert str(caught.value) == "plan.json: events[0].replay: bad.csv: is not UTF-8 text; save it as UTF-8"


# Of the whole machine


@pytest.fixture
def machine(monkeypatch):
    """Make this machine one whose CPUs and memory this process may use as a whole, or not."""

    def make(*, cpus=4.0, limit=None):
        monkeypatch.setattr(replay_module, "usable_cpus", lambda: cpus)
        monkeypatch.setattr(replay_module, "memory_limit", lambda: limit)
        monkeypatch.setattr(replay_module, "usable_memory", lambda: 2**34)
        monkeypatch.setattr(replay_module, "STAT", __file__)  # there on every platform
        monkeypatch.setattr(replay_module.os, "cpu_count", lambda: 4)

    return make


def played(*, limited=()):
    """The parts of a replay, as `pytest-twin run` plays it."""
    recorded = replay(table("elapsed_s,cpu_percent,ram_used_percent,disk_write_MB", "0,5,30,1", "1,5,40,1"))
    replayed = Load(recorded.load.parts, {"replay": "prod.csv"})
    plain = Load(recorded.load.parts[:1], {"cpu": "5%"})
    events = (ScheduledLoad("a", 0.0, 2.0, replayed), ScheduledLoad("b", 0.0, 2.0, plain))
    first, second = fill_machine(Schedule(events), KINDS, limited=limited).events
    assert second.load == plain
    return {part.kind.keyword: part for part in first.load.parts}


def test_the_whole_machine_is_made_as_busy_as_the_recorded_one(machine):
    machine()
    parts = played()
    assert parts.keys() == {"cpu_total", "mem", "disk"}
    assert parts["mem"].options[WHOLE]
    assert [value for _, value in parts["mem"].profile] == pytest.approx([0.3, 0.4])


def test_a_load_with_a_limit_is_not_made_one_of_the_whole_machine(machine):
    machine()
    parts = played(limited=["cpu", "mem"])
    assert parts.keys() == {"cpu", "mem", "disk"}
    assert [value for _, value in parts["mem"].profile] == pytest.approx([0.0, 0.1])


def test_a_process_that_may_use_a_part_of_the_machine_only_replays_shares_of_that(machine):
    machine(cpus=2.0, limit=2**30)
    parts = played()
    assert parts.keys() == {"cpu", "mem", "disk"}
    assert WHOLE not in parts["mem"].options


# Beside tests


def less_idle(cpu, text):
    """The values of a replay less what the machine does at idle, by keyword; another load stays as it is."""
    plain = Load((replace(part(rows("cpu_percent", 4, 8)), options={}),))
    events = (ScheduledLoad("a", 0.0, 2.0, replay(text).load), ScheduledLoad("b", 0.0, 2.0, plain))
    left = {event.id: event.load for event in without_idle(Schedule(events), cpu).events}
    assert left.pop("b") == plain
    return {each.kind.keyword: [value for _, value in each.profile] for load in left.values() for each in load.parts}


def test_what_this_machine_does_at_idle_is_left_out_of_the_cpu_usage_and_of_nothing_else():
    text = table("elapsed_s,cpu_percent,ram_used_percent,disk_write_MB", "0,50,30,1", "1,5,40,1")
    found = less_idle(0.1, text)
    assert found["cpu"] == pytest.approx([0.4, 0.4, 0, 0])
    assert {key: found[key] for key in ("mem", "disk")} == {key: less_idle(0.0, text)[key] for key in ("mem", "disk")}


def test_a_load_of_which_nothing_is_left_is_left_out():
    assert less_idle(0.2, rows("cpu_percent", 10, 20)) == {}
