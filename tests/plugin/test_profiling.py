"""Which load slows a test: `--twin-profile`."""

from __future__ import annotations

import csv
import re
from itertools import count

import psutil
import pytest

from pytest_twin.plugin import profiler
from pytest_twin.report.profile_terminal import profile_lines


@pytest.fixture
def a_second_a_look(monkeypatch):
    """Lets the clock of a profile go on by a second at each look: each run of the test, and each load, has one."""
    monkeypatch.setattr(profiler, "monotonic", count().__next__)


TESTS = """
import time, pytest

def test_it(): time.sleep(0.001)

def test_failing(): assert False

@pytest.mark.skip
def test_skipped(): pass
"""


@pytest.mark.slow
def test_every_level_of_every_resource_has_a_row_however_little_time_there_is(pytester, left):
    pytester.makepyfile(TESTS)
    result = pytester.runpytest("--twin-profile", "--twin-profile-time=1s")
    result.assert_outcomes(passed=1, failed=1, skipped=1)
    all_rows = left.rows("profile.csv")
    rows = [row for row in all_rows if row["resource"] != "quota"]
    assert all_rows[: len(rows)] == rows  # those of a quota, where there is one, are the last
    assert [(row["resource"], row["level_percent"]) for row in rows] == [
        (resource, str(level)) for resource in ("cpu", "membw", "disk") for level in (0, 25, 50, 75, 100)
    ]
    assert {row["nodeid"].rpartition("::")[2] for row in rows} == {"test_it"}
    assert {row["rank"] for row in rows} == {""}
    assert all(bool(row["slowdown"]) == (row["repetitions"] != "0") for row in rows)
    assert [row["target"] for row in rows][::5] == ["", "", ""]
    assert [row["target"] for row in rows][4::5] == ["cpu=100%", "membw=max", "disk=max"]
    heading = "slowdown by load * 0% * 25% * 50% * 75% * 100% * knee*"
    result.stdout.fnmatch_lines([heading, "*::test_it", "  - cpu *[?]"])


BUSY = """
import time

def test_it():
    until = time.process_time() + 0.1
    while time.process_time() < until: pass
"""


@pytest.mark.slow
@pytest.mark.usefixtures("a_second_a_look")
def test_a_quota_of_cpu_time_has_a_curve_of_its_own(pytester, left):
    pytester.makepyfile(BUSY)
    pytester.runpytest("--twin-profile", "--twin-profile-time=60s").assert_outcomes(passed=1)
    notes = [row["detail"] for row in left.events if row["event"] == "note"]
    if any("without quotas" in note for note in notes):
        pytest.skip(str(notes))
    rows = [row for row in left.rows("profile.csv") if row["resource"] == "quota"]
    assert [(row["level_percent"], row["target"]) for row in rows] == [
        ("100", ""), *((level, f"constrain cpu={level}%") for level in ("75", "50", "25", "10"))
    ]  # fmt: skip
    assert {row["rank"] for row in rows} == {""}
    assert float(rows[4]["achieved"].split()[0]) < psutil.cpu_count() / 2  # CPUs; requested is a tenth of them
    runs = [(row["load"], row["constraint"]) for row in left.tests]
    assert {"cpu=75%", "cpu=50%", "cpu=25%", "cpu=10%"} <= {constraint for load, constraint in runs if not load}
    assert not [load for load, _ in runs if "constrain" in load]


@pytest.mark.slow
def test_where_no_quota_can_be_had_its_curve_is_left_out_and_a_note_says_why(pytester, left):
    pytester.makepyfile(BUSY)
    pytester.makeconftest("""
from pytest_twin.loads.spec import LoadError
from pytest_twin.loads.validation import read_load
from pytest_twin.plugin import profiler

def without_constraints(keywords):
    if "constrain" in keywords:
        raise LoadError([("constrain", "is for Linux only")])
    return read_load(keywords)

profiler.read_load = without_constraints
""")
    pytester.runpytest_subprocess("--twin-profile", "--twin-profile-time=1s", "-p", "no:xdist")
    assert {row["resource"] for row in left.rows("profile.csv")} == {"cpu", "membw", "disk"}
    notes = [row["detail"] for row in left.events if row["event"] == "note"]
    assert "profiled without quotas of CPU time: constrain: is for Linux only" in notes


@pytest.mark.slow
@pytest.mark.usefixtures("a_second_a_look")
def test_failures_under_a_load_are_counted_and_the_other_levels_are_measured(pytester, left):
    pytester.makepyfile("""
import psutil, time

def test_it():
    time.sleep(0.001)
    busy = [child for child in psutil.Process().children(recursive=True) if child.memory_info().rss > 40 << 20]
    assert not busy, "too busy"
""")
    result = pytester.runpytest("--twin-profile", "--twin-profile-time=120s", "--twin-report=json,md,html")
    result.assert_outcomes(passed=1)
    assert result.ret == pytest.ExitCode.OK
    rows = {(row["resource"], int(row["level_percent"])): row for row in left.rows("profile.csv")}
    failing = {key for key, row in rows.items() if int(row["failures"] or 0)}
    assert ("membw", 100) in failing
    assert rows["membw", 100]["failures"] == rows["membw", 100]["runs"]
    assert rows["membw", 100]["error"] == "AssertionError: too busy"
    assert (rows["membw", 100]["slowdown"], rows["cpu", 0]["failures"]) == ("", "0")
    assert {key[0] for key, row in rows.items() if int(row["runs"])} >= {"cpu", "membw", "disk"}  # the others too
    printed = " ".join(result.stdout.str().split())  # the levels that fail may take several lines
    assert re.search(r" fails [^:]*\d+ of \d+ under membw=max the first failure: \S+ too busy", printed)


@pytest.mark.slow
@pytest.mark.usefixtures("a_second_a_look")
def test_a_test_that_fails_without_load_too_is_profiled_if_it_passes_sometimes(pytester, left):
    pytester.makepyfile("""
runs = []

def test_it():
    runs.append(1)
    assert len(runs) % 3
""")
    result = pytester.runpytest("--twin-profile", "--twin-profile-time=25s")
    idle = next(row for row in left.rows("profile.csv") if row["level_percent"] == "0")
    assert int(idle["runs"]) > int(idle["failures"]) > 0
    result.stdout.re_match_lines([r"    fails \d+ of \d+ without load"])


@pytest.mark.slow
def test_a_test_that_never_passes_without_load_is_not_profiled_and_a_note_says_why(pytester, left):
    pytester.makepyfile("def test_it(): assert False, 'broken'")
    pytester.runpytest("--twin-profile", "--twin-profile-time=1s").assert_outcomes(failed=1)
    notes = [row["detail"] for row in left.events if row["event"] == "note"]
    assert "not profiled: fails without load: AssertionError: broken" in notes
    assert left.rows("profile.csv") == []


@pytest.mark.slow
@pytest.mark.usefixtures("a_second_a_look")
def test_a_test_that_only_sleeps_is_measured_often_enough_and_needs_no_disk(pytester, left):
    pytester.makepyfile("""
import time

def test_sleep(): time.sleep(0.02)
""")
    pytester.runpytest("--twin-profile", "--twin-profile-time=700s").assert_outcomes(passed=1)
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
    rows = [row for row in left.rows("profile.csv") if row["resource"] != "quota"]
    nodeids = [row["nodeid"].rpartition("::")[2] for row in rows]
    assert sorted(nodeids) == ["test_one"] * 15 + ["test_two"] * 15
    assert not list(left.folder.glob("*part*"))


def test_a_time_that_is_none_is_refused(pytester):
    result = pytester.runpytest("--twin-profile", "--twin-profile-time=soon")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --twin-profile-time: 'soon' *"])


def test_failures_stand_below_the_curves_and_a_quota_has_levels_of_its_own():
    text = """nodeid,resource,level_percent,slowdown,slowdown_low,knee_percent,rank,runs,failures,error
t.py::a,quota,100,1.0,0.9,25,,12,1,late
t.py::a,quota,25,3.0,2.1,25,,6,0,
t.py::a,quota,10,,,25,,5,5,late
t.py::a,cpu,0,1.0,0.9,,,12,1,late
t.py::a,cpu,75,1.1,0.9,,,5,3,late
"""
    heading, *lines = profile_lines(list(csv.DictReader(text.splitlines())))
    assert max(map(len, (heading, *lines))) <= 80
    assert lines == [
        "by CPU quota        100%     75%     50%     25%     10%    knee   (CPUs left)",
        "(?: too few repetitions; the column 0% shows noise)",
        "t.py::a",
        "  - quota           1.00    3.00       ?     25%",
        "  - cpu             1.00    1.10    none",
        "    fails 5 of 5 under quota=10%",
        "    fails 3 of 5 under cpu=75%",
        "    fails 1 of 12 without load",
        "    the first failure: late",
    ]


def test_the_table_has_what_hurts_most_first():
    text = """nodeid,resource,slowdown,slowdown_low,knee_percent,rank
t.py::a,cpu,1.001,0.9,,
t.py::a,cpu,,,,
t.py::a,disk,2.5,2.1,25,1
t.py::a,disk,2.5,,25,1
"""
    heading, legend, *lines = profile_lines(list(csv.DictReader(text.splitlines())))
    assert max(len(heading), len(legend)) <= 80
    assert lines == [
        "t.py::a",
        "  1 disk            2.50   2.50?     25%",
        "  - cpu             1.00       ?       ?",
    ]


@pytest.mark.slow
def test_the_slowdown_beside_a_recorded_server_is_predicted_after_the_profile(pytester, left):
    pytester.makepyfile(TESTS)
    rows = "".join(f"{at},50\n" for at in range(1, 61))
    (pytester.path / "server.csv").write_text("elapsed_s,cpu_percent\n" + rows)
    result = pytester.runpytest("--twin-profile", "--twin-profile-time=1s", "--twin-predict=server.csv")
    told = (
        r"1 test of twin-report beside the CPU load of server\.csv|warning: no prediction: twin-report has no slowdown"
    )
    result.stdout.re_match_lines(["slowdown by load", told])  # the latter where there was too little time
    result.assert_outcomes(passed=1, failed=1, skipped=1)
    together = [row for row in left.rows("profile.csv") if row["resource"] == "cpu+disk"]
    assert [row["level_percent"] for row in together] == ["0", "25", "50", "75", "100"]
    assert {row["rank"] for row in together} == {""}
