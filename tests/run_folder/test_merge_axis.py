"""Several runs as one."""

from __future__ import annotations

from pathlib import PurePosixPath

import pytest

from pytest_twin.run_folder.merge_axis import MergeAxis, first_epoch, host_names, shift_rows
from pytest_twin.run_folder.merge_copy import parse_lenient


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/a/linux", "/a/mac"], ["linux", "mac"]),
        (["/linux/report", "/mac/report"], ["linux-report", "mac-report"]),
        (["/a/Report", "/b/report"], ["a-Report", "b-report"]),  # one name on some file systems
        (["/a/x", "/a/x"], ["a-x-1", "a-x-2"]),
        (["/a/tüv, 1", "/"], ["t-v-1", "run"]),
    ],
)
def test_runs_are_named_after_their_folders_as_far_as_that_tells_them_apart(paths, names):
    assert host_names([PurePosixPath(path) for path in paths]) == names


def test_lines_that_are_not_whole_are_counted():
    found = parse_lenient("a,b\n1,2\n3\n4,5\n6,")
    assert found.columns == ["a", "b"]
    assert found.rows == [{"a": "1", "b": "2"}, {"a": "4", "b": "5"}]
    assert found.damaged == 2
    assert parse_lenient("") == ([], [], 0)


def test_seconds_count_from_the_beginning_of_the_first_run():
    first = {"timestamp": "1970-01-01T00:01:41.000Z", "elapsed_s": "1.0"}
    second = {"timestamp": "1970-01-01T00:03:20.000Z", "elapsed_s": "0.0"}
    assert first_epoch([("timestamp", [second]), ("timestamp", [{"elapsed_s": "?"}, first])]) == 100.0
    axis = MergeAxis(100.0)
    assert axis.elapsed("1970-01-01T00:03:20.000Z", "0.0") == "100.0000"
    assert axis.elapsed("1970-01-01T00:03:21.000Z", "1.0004") == "101.0004"  # a stamp has no tenths of milliseconds


def test_events_say_which_run_they_are_of():
    row = {"timestamp": "1970-01-01T00:00:05Z", "elapsed_s": "5", "id": "t1", "host": ""}
    rows = [row, {**row, "id": "", "host": "far"}, {**row, "timestamp": "?"}]
    good, lost = shift_rows(rows, "timestamp", MergeAxis(0.0), "linux")
    assert [(each["id"], each["host"]) for each in good] == [("linux/t1", "linux"), ("", "linux-far")]
    assert lost == 1
