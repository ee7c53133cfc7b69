"""A recording of a machine, read from a file of any tool, or from a run folder."""

from __future__ import annotations

import gzip
from datetime import UTC, datetime

import numpy as np
import pytest

import pytest_twin
from pytest_twin import ReadingError, read_recording
from pytest_twin.model.machine_formats import timed_table
from pytest_twin.model.machine_recording import RESOURCES

SADF = """\
# hostname;interval;timestamp;CPU;%user;%nice;%system;%iowait;%steal;%idle
vm;2;2026-11-29 07:40:32 UTC;-1;5.00;1.00;7.00;0.50;0.50;86.00
vm;2;2026-11-29 07:40:34 UTC;-1;0.50;0.00;0.00;0.00;0.00;99.50
# hostname;interval;timestamp;kbmemfree;kbavail;kbmemused;%memused
vm;2;2026-11-29 07:40:32 UTC;300;400;100;25.00
vm;2;2026-11-29 07:40:34 UTC;300;400;200;50.00
# hostname;interval;timestamp;DEV;tps;rkB/s;wkB/s
vm;2;2026-11-29 07:40:32 UTC;loop0;1.00;5.00;5.00
vm;2;2026-11-29 07:40:32 UTC;sda;1.00;48.00;24.00
vm;2;2026-11-29 07:40:32 UTC;sda1;1.00;48.00;24.00
vm;2;2026-11-29 07:40:32 UTC;dm-0;1.00;48.00;24.00
vm;2;2026-11-29 07:40:34 UTC;sda;1.00;0.00;8.00
vm;2;2026-11-29 07:40:34 UTC;sdb;1.00;2.00;0.00
# hostname;interval;timestamp;IFACE;rxpck/s;txpck/s;rxkB/s;txkB/s
vm;2;2026-11-29 07:40:32 UTC;lo;0.00;0.00;9.00;9.00
vm;2;2026-11-29 07:40:32 UTC;eth0;0.00;0.00;3.00;1.00
vm;2;2026-11-29 07:40:34 UTC;eth0;0.00;0.00;4.00;2.00
"""
SAR = """\
Linux 6.1.0 (vm) \t11/29/26 \t_x86_64_\t(2 CPU)

11:59:58 PM     CPU     %user     %nice   %system   %iowait    %steal     %idle
11:59:59 PM     all      5.00      1.00      7.00      0.50      0.50     86.00
12:00:00 AM     all      0.50      0.00      0.00      0.00      0.00     99.50
Average:        all      2.75      0.50      3.50      0.25      0.25     92.75

11:59:58 PM          tps      rtps      wtps   bread/s   bwrtn/s
11:59:59 PM        18.00     12.00      2.00     96.00     48.00
12:00:00 AM         0.00      0.00      0.00      0.00      2.00
"""
VMSTAT = """\
procs -----------memory---------- ---swap-- -----io---- -system-- ------cpu----- -----timestamp-----
 r  b   swpd   free   buff  cache   si   so    bi    bo   in   cs us sy id wa st                 UTC
 1  0      0 203263  93468  40099    0    0   573 13829  336  540 61  9 29  1  1 2026-11-29 07:43:16
 1  0      0 203263  93468  40099    0    0    36     0  359  329 14  5 80  1  0 2026-11-29 07:43:18
 1  0      0 203263  93468  40099    0    0     0    10   81   70  0  0 100  0  0 2026-11-29 07:43:20
"""


@pytest.fixture
def read(tmp_path):
    def read_text(text, **options):
        path = tmp_path / "recording.txt"
        path.write_bytes(text.encode())
        return read_recording(path, **options)

    return read_text


@pytest.fixture
def error(read, tmp_path):
    def error_of(text):
        with pytest.raises(ReadingError) as caught:
            read(text)
        assert "\n" not in str(caught.value)
        return str(caught.value).removeprefix(f"{tmp_path / 'recording.txt'}: ")

    return error_of


def values(recording, name):
    return recording.frame[name].tolist()


def table(*lines):
    return "".join(f"{line}\n" for line in lines)


def test_sections_of_sadf_are_read_together(read):
    recording = read(SADF)
    assert recording.frame.index.tolist() == [2.0, 4.0]
    assert recording.start == datetime(2026, 11, 29, 7, 40, 30, tzinfo=UTC)
    assert values(recording, "cpu") == pytest.approx([0.135, 0.005])
    assert values(recording, "cpu_user") == pytest.approx([0.06, 0.005])
    assert values(recording, "cpu_system") == pytest.approx([0.07, 0.0])
    assert values(recording, "mem") == [0.25, 0.5]
    assert values(recording, "mem_bytes") == [102400, 204800]


def test_only_disks_and_networks_that_are_not_part_of_others_are_counted(read):
    recording = read(SADF)
    assert values(recording, "disk_read") == [48 * 1024, 2 * 1024]
    assert values(recording, "disk_write") == [24 * 1024, 8 * 1024]
    assert values(recording, "net_received") == [3 * 1024, 4 * 1024]
    assert values(recording, "net_sent") == [1024, 2 * 1024]
    assert recording.sources["disk_read"] == "rkB/s of sda, sdb"


def test_sar_goes_on_after_midnight(read):
    recording = read(SAR)
    assert recording.frame.index.tolist() == [1.0, 2.0]
    assert recording.start == datetime(2026, 11, 29, 23, 59, 58, tzinfo=UTC)
    assert values(recording, "cpu") == pytest.approx([0.135, 0.005])
    assert values(recording, "disk_read") == [96 * 512, 0]
    assert values(recording, "disk_write") == [48 * 512, 2 * 512]
    assert recording.remarks == ("row 1: 11/29/26 is read as 2026-11-29",)


def test_the_first_row_of_vmstat_is_left_out(read):
    recording = read(VMSTAT)
    assert recording.frame.index.tolist() == [2.0, 4.0]
    assert recording.start == datetime(2026, 11, 29, 7, 43, 16, tzinfo=UTC)
    assert values(recording, "cpu") == pytest.approx([0.19, 0.0])
    assert values(recording, "disk_read") == [36 * 1024, 0]
    assert values(recording, "disk_write") == [0, 10 * 1024]
    assert recording.remarks == (
        "memory is not read: vmstat does not say how much memory the machine has",
        "row 3: is the average since the start of the machine, and left out",
    )


def test_vmstat_without_times_has_the_interval_that_is_given(read):
    text = "\n".join(line.split(" 2026")[0] for line in VMSTAT.splitlines()) + "\n"
    recording = read(text, interval_s=5)
    assert recording.frame.index.tolist() == [5.0, 10.0]
    assert recording.start is None
    assert recording.remarks[-1] == ("the rows have no times: an interval of 5 s is assumed; record with vmstat -t")


def test_a_gap_has_no_values(read):
    recording = read(table("elapsed_s,cpu_percent", "0,10", "1,20", "2,30", "9,40"))
    assert recording.frame.index.tolist() == [1, 2, 3, 9, 10]
    assert values(recording, "cpu") == pytest.approx([0.1, 0.2, 0.3, np.nan, 0.4], nan_ok=True)
    assert recording.remarks == ("row 5: no row for 7 s before it; gaps have no values (1 in all)",)


def test_the_longest_gap_is_told(read):
    recording = read(table("elapsed_s,cpu_percent", *(f"{at},10" for at in (0, 1, 5, 6, 7, 90, 91, 92, 2e7, 2e7 + 1))))
    assert recording.remarks == ("row 10: no row for 19999908 s before it; gaps have no values (3 in all)",)


def test_a_recording_that_is_mostly_a_gap_says_where(read):
    recording = read(table("elapsed_s,cpu_percent", *(f"{at},{at}" for at in [*range(50), *range(600, 650)])))
    assert recording.gap_problem == ""
    recording = read(table("elapsed_s,cpu_percent", *(f"{at},{at % 9}" for at in [*range(50), *range(3600, 3650)])))
    assert recording.gap_problem == (
        "row 52: no row for 3551 s before it, and less than 10 % of its 1h50s has rows; "
        "keep the rows before or after the gap"
    )


def test_values_beyond_what_there_can_be_are_told_with_the_first_row(read):
    heading = "elapsed_s,cpu_percent,disk_write_MB,cpu_idle_percent,disk_read_bytes_per_second"
    recording = read(table(heading, "0,350,1,3,4", "1,-5,-1,120,-2", "2,109,0,3,1", "3,340,0,3,1"))
    assert values(recording, "cpu") == [1, 0, 1, 1]
    assert recording.remarks == (
        "row 3: cpu_percent is below 0; it is read as 0 (1 in all)",
        "row 2: cpu_percent is above 100 %; it is read as 100 % (2 in all)",
        "row 3: disk_write_MB is below 0; it is read as 0 (1 in all)",
        "row 3: disk_read_bytes_per_second is below 0; it is read as 0 (1 in all)",
    )


@pytest.mark.parametrize(("cells", "is_told"), [(["0.2", "0.9"], True), (["0", "0.1"], False), (["0.2", "1.5"], False)])
def test_ratios_under_a_name_of_per_cent_are_told(read, cells, is_told):
    recording = read(table("elapsed_s,cpu_percent", *(f"{at},{cell}" for at, cell in enumerate(cells))))
    remark = "cpu_percent has no value above 1 %; if it is a ratio, name it cpu_ratio"
    assert recording.remarks == ((remark,) if is_told else ())
    assert read(table("elapsed_s,cpu_ratio", "0,0.2", "1,0.9")).frame["cpu"].tolist() == [0.2, 0.9]


def test_cells_with_units_say_where_the_unit_belongs(read):
    with pytest.raises(ReadingError) as raised:
        read(table("elapsed_s,cpu_percent,disk_write_MB", "0,5,12 MB/s", "1,5,1"))
    assert str(raised.value).endswith(
        "row 2: disk_write_MB: '12 MB/s' is not a number; "
        "write the unit into the name of the column, such as disk_write_MB"
    )


@pytest.mark.parametrize(
    "content",
    [b"\x1f\x8b123", gzip.compress(b"elapsed_s,cpu_percent\n" * 999)[:-20]],
    ids=["another format", "cut off"],
)
def test_a_damaged_gzip_file_is_told_in_one_line(tmp_path, content):
    path = tmp_path / "server.csv.gz"
    path.write_bytes(content)
    with pytest.raises(ReadingError) as raised:
        read_recording(path)
    assert str(raised.value) == f"{path}: is not a whole gzip file; it was cut off or damaged"


def test_the_17_columns_of_the_old_scripts_are_read(read):
    recording = read(
        table(
            "timestamp,cpu_percent,cpu_count_logical,cpu_count_physical,ram_total_GB,ram_used_percent,ram_available_GB,"
            "swap_used_percent,disk_total_GB,disk_used_percent,disk_read_MB,disk_write_MB,net_sent_MB,net_recv_MB,"
            "battery_percent,battery_plugged,process_count",
            "2025-10-11 02:30:00,10,8,4,16,50,8,0,100,50,4,2,1,0.5,99,True,300",
            "2025-10-11 02:30:02,20,8,4,16,75,4,0,100,50,0,0,0,0,99,True,300",
        )
    )
    assert {*recording.frame} == {*RESOURCES} - {"cpu_user", "cpu_system", "net_loopback"}
    assert values(recording, "mem_bytes") == [8 * 2**30, 12 * 2**30]
    assert recording.frame.iloc[0][["disk_read", "disk_write", "net_sent", "net_received"]].tolist() == [
        2 * 2**20, 2**20, 2**19, 2**18,
    ]  # fmt: skip
    assert recording.start == datetime(2025, 10, 11, 2, 29, 58, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "cells", "resource", "expected"),
    [
        ("CPU Busy", ("25", "50"), "cpu", (0.25, 0.5)),
        ("cpu_usage_ratio", ("0.25", "0.5"), "cpu", (0.25, 0.5)),
        ("cpu_usage", ("0.25", "0.5"), "cpu", (0.25, 0.5)),
        ("cpu_idle_percent", ("75", "50"), "cpu", (0.25, 0.5)),
        ("CPUUtilization", ("0.25", "0.5"), "cpu", (0.0025, 0.005)),
        ("system.cpu.user (%)", ("25", "50"), "cpu_user", (0.25, 0.5)),
        ("Memory used (GiB)", ("1", "2"), "mem_bytes", (2**30, 2**31)),
        ("mem_used_percent", ("25", "50"), "mem", (0.25, 0.5)),
        ("node_memory_used_bytes", ("100", "200"), "mem_bytes", (100, 200)),
        ("disk read KB/s", ("1", "2"), "disk_read", (1024, 2048)),
        ("rate(node_disk_written_bytes_total[1m])", ("10", "20"), "disk_write", (10, 20)),
        ("node_network_receive_bytes_total", ("10", "30"), "net_received", (np.nan, 2)),
        ("node_disk_read_bytes_total", ("100", "130"), "disk_read", (np.nan, 3)),
        ("NetworkOut", ("5", "6"), "net_sent", (5, 6)),
        ("DiskWriteBytes", ("50", "100"), "disk_write", (5, 10)),
        ("net tx Mbps", ("8", "16"), "net_sent", (2**20, 2**21)),
        ("eth0 rx MB/s", ("1", "2"), "net_received", (2**20, 2**21)),
    ],
)
def test_a_column_is_read_by_its_meaning_and_unit(read, name, cells, resource, expected):
    recording = read(table(f'"Time","{name}"', *(f"{1764324000 + 10 * at},{cell}" for at, cell in enumerate(cells))))
    assert [*recording.frame] == [resource]
    assert values(recording, resource) == pytest.approx(list(expected), nan_ok=True)


def test_a_counter_that_begins_anew_grows_from_0(read):
    recording = read(table("time,node_disk_read_bytes_total", "1,100", "2,150", "3,20", "4,30"))
    assert values(recording, "disk_read") == pytest.approx([np.nan, 50, 20, 10], nan_ok=True)
    assert recording.remarks == (
        "row 4: node_disk_read_bytes_total begins anew; its growth is counted from 0 (1 in all)",
    )


def test_of_several_series_shares_are_averaged_and_bytes_added(read):
    recording = read(table("time,cpu busy a,cpu busy b,sda read B/s,sdb read B/s", "1,10,30,5,6", "2,10,50,5,"))
    assert values(recording, "cpu") == pytest.approx([0.2, 0.3])
    assert values(recording, "disk_read") == [11, 5]
    assert [remark for remark in recording.remarks if " of " in remark] == [
        "cpu is the mean of cpu busy a + cpu busy b",
        "disk_read is the sum of sda read B/s + sdb read B/s",
    ]


def test_a_row_without_a_value_has_none(read):
    recording = read(table("elapsed_s,cpu_percent,disk_write_MB", "0,10,1", "1,,", "2,30,4"))
    assert values(recording, "cpu") == pytest.approx([0.1, np.nan, 0.3], nan_ok=True)
    assert values(recording, "disk_write") == pytest.approx([2**20, np.nan, 2 * 2**20], nan_ok=True)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("host,cpu_percent\na,5\nb,6\n",
         "row 1: has no column of times; name it timestamp, or elapsed_s where it has seconds"),
        ("elapsed_s,cpu_percent\n0,5\n2,5\n1,5\n3,6\n",
         "row 4: elapsed_s: '1' is earlier than the row above; sort the rows by time"),
        ("time,cpu_percent\n1,5\n", "has fewer than two rows"),
        ("", "is empty"),
        (SADF.replace("99.50", "much"), "row 3: %idle: 'much' is not a number"),
        (SADF.replace(";86.00", ""), "row 2: has 9 cells, but the heading above it has 10"),
        (VMSTAT.replace("81   70", "x   70"), "row 5: "),
        (VMSTAT.replace("43:20", "43:17"), "row 5: is not later than the row above; sort the rows by time"),
        (SAR.replace("11/29/26", "today"), "row 1: has no date; keep the first line that sar prints"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_told_in_one_line_with_its_row(error, text, problem):
    assert error(text).startswith(problem)


def test_a_run_folder_is_read_by_its_dataset(tmp_path):
    (tmp_path / "system_metrics_dataset.0001.csv").write_text(table("timestamp,elapsed_s,cpu_percent",
        "2026-11-28T10:00:01Z,0,10", "2026-11-28T10:00:02Z,1,20"))  # fmt: skip
    (tmp_path / "system_metrics_dataset.csv").write_text(table("timestamp,elapsed_s,cpu_percent",
        "2026-11-28T10:00:03Z,2,30", "2026-11-28T10:00:04Z,3,40") + "2026-11-28T10:00:0")  # fmt: skip
    recording = read_recording(tmp_path)
    assert values(recording, "cpu") == pytest.approx([0.1, 0.2, 0.3, 0.4])
    assert recording.start == datetime(2026, 11, 28, 10, tzinfo=UTC)


def test_files_of_a_dataset_with_other_columns_are_read_together(tmp_path):
    (tmp_path / "system_metrics_dataset.0001.csv").write_text(table("timestamp,elapsed_s,cpu_percent",
        "2026-11-28T10:00:01Z,0,10", "2026-11-28T10:00:02Z,1,20"))  # fmt: skip
    (tmp_path / "system_metrics_dataset.csv").write_text(table("timestamp,elapsed_s,ram_used_percent,cpu_percent",
        "2026-11-28T10:00:03Z,2,50,30"))  # fmt: skip
    recording = read_recording(tmp_path)
    assert values(recording, "cpu") == pytest.approx([0.1, 0.2, 0.3])
    assert values(recording, "mem") == pytest.approx([np.nan, np.nan, 0.5], nan_ok=True)


def test_a_folder_without_a_dataset_is_told(tmp_path):
    with pytest.raises(ReadingError, match=r"has no system_metrics_dataset\.csv; give a run folder, or a file"):
        read_recording(tmp_path)


def test_a_plain_table_and_one_read_cell_by_cell_are_the_same(read):
    lines = [f"2026-11-28T10:{at // 60:02}:{at % 60:02}Z,{at % 101},{at % 7}" for at in range(1000)]
    lines[600:] = lines[700:]
    plain = read(table("timestamp,cpu_percent,disk_write_MB", *lines))
    slow = read(table("# a comment", "timestamp,cpu_percent,disk_write_MB", *lines))
    assert plain.frame.equals(slow.frame)
    assert (plain.start, plain.interval_s, plain.sources) == (slow.start, slow.interval_s, slow.sources)


def test_the_frame_is_of_floats_and_rises(read):
    for text in (SADF, SAR, VMSTAT):
        frame = read(text).frame
        assert frame.index.name == "elapsed_s"
        assert frame.index.is_monotonic_increasing
        assert frame.index.is_unique
        assert {str(kind) for kind in frame.dtypes} == {"float64"}
        assert [*frame] == [name for name in RESOURCES if name in frame]


def test_the_recording_is_a_public_class(read):
    assert isinstance(read(SADF), pytest_twin.MachineRecording)


@pytest.mark.parametrize(("names", "kept"), [("timestamp,cpu_percent", 5), ("elapsed_s,cpu_percent", 4)])
def test_a_last_row_without_an_end_is_kept_if_it_is_not_of_ours(read, monkeypatch, names, kept):
    def refuse(table):
        raise AssertionError("parsed cell by cell, which takes long")

    monkeypatch.setattr(timed_table, "_read_cells", refuse)
    rows = "\n".join(f"{1764324000 + at},{10 + at}" for at in range(5))
    assert len(read(f"{names}\n{rows}").frame) == kept


def test_the_memory_of_a_cgroup_is_no_memory_of_the_machine(read):
    found = read("elapsed_s,ram_total_GB,ram_used_percent,cgroup_memory_used_GB\n1,4,25,1\n2,4,50,1\n")
    assert found.frame["mem_bytes"].tolist() == [2**30, 2**31]
    assert found.remarks == ()
