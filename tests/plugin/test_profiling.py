"""Which load slows a test: `--twin-profile`."""

from __future__ import annotations

import csv

import pytest

from pytest_twin.report.terminal import profile_lines

TESTS = """
import time, pytest

def test_it(): time.sleep(0.001)

def test_failing(): assert False

@pytest.mark.skip
def test_skipped(): pass
"""


def test_every_level_of_every_resource_has_a_row_however_little_time_there_is(pytester, left):
    pytester.makepyfile(TESTS)
    result = pytester.runpytest("--twin-profile", "--twin-profile-time=1s")
    result.assert_outcomes(passed=1, failed=1, skipped=1)
    rows = left.rows("profile.csv")
    assert [(row["resource"], row["level_percent"]) for row in rows] == [
        (resource, str(level)) for resource in ("cpu", "membw", "disk") for level in (0, 25, 50, 75, 100)
    ]
    assert {row["nodeid"].rpartition("::")[2] for row in rows} == {"test_it"}
    assert {row["rank"] for row in rows} == {""}
    assert all(bool(row["slowdown"]) == (row["repetitions"] != "0") for row in rows)
    assert [row["target"] for row in rows][::5] == ["", "", ""]
    assert [row["target"] for row in rows][4::5] == ["cpu=100%", "membw=max", "disk=max"]
    heading = "slowdown by load * 0% * 25% * 50% * 75% * 100% * knee*"
    result.stdout.fnmatch_lines([heading, "*::test_it", "  - cpu *none"])


@pytest.mark.slow
def test_a_test_that_only_sleeps_is_measured_often_enough_and_needs_no_disk(pytester, left):
    pytester.makepyfile("""
import time

def test_sleep(): time.sleep(0.02)
""")
    pytester.runpytest("--twin-profile", "--twin-profile-time=30s").assert_outcomes(passed=1)
    rows = left.rows("profile.csv")
    assert min(int(row["repetitions"]) for row in rows) >= 6
    assert all(float(row["slowdown_low"]) <= float(row["slowdown"]) <= float(row["slowdown_high"]) for row in rows)
    assert {row["rank"] for row in rows if row["resource"] == "disk"} == {""}


@pytest.mark.slow
def test_workers_of_xdist_profile_as_well_and_one_file_has_it_all(pytester, left):
    pytester.makepyfile("""
def test_one(): pass
def test_two(): pass
""")
    result = pytester.runpytest("-n2", "--twin-profile", "--twin-profile-time=0.2s")
    result.assert_outcomes(passed=2)
    nodeids = [row["nodeid"].rpartition("::")[2] for row in left.rows("profile.csv")]
    assert sorted(nodeids) == ["test_one"] * 15 + ["test_two"] * 15
    assert not list(left.folder.glob("*part*"))


def test_a_time_that_is_none_is_refused(pytester):
    result = pytester.runpytest("--twin-profile", "--twin-profile-time=soon")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: twin_profile_time: 'soon' *"])


def test_the_table_has_what_hurts_most_first():
    text = """nodeid,resource,slowdown,slowdown_low,knee_percent,rank
t.py::a,cpu,1.001,0.9,,
t.py::a,cpu,,,,
t.py::a,disk,2.5,2.1,25,1
t.py::a,disk,2.5,,25,1
"""
    assert list(profile_lines(list(csv.DictReader(text.splitlines()))))[1:] == [
        "t.py::a",
        "  1 disk            2.50   2.50?     25%",
        "  - cpu             1.00       ?    none",
    ]
