"""A run made ready for reading."""

from dataclasses import replace

import pytest
from made_runs import MadeRun, busy_run

from pytest_twin.analysis.run.attempts import heaviest, slowest, small_curves
from pytest_twin.analysis.run.distributions import correlations, distributions
from pytest_twin.analysis.run.totals import number_of_tests
from pytest_twin.model.event import END, GAP, NOTE, SKIP, START, TEST


def names(attempts):
    return [attempt.nodeid.rpartition("::")[2] for attempt in attempts]


def test_outcomes_are_counted_what_went_wrong_first(tmp_path):
    summary = busy_run(tmp_path).summary()
    assert list(summary.outcomes.items()) == [("failed", 1), ("passed", 2)]


def test_the_slowest_and_the_heaviest_tests_come_first(tmp_path):
    summary = busy_run(tmp_path).summary()
    assert names(slowest(summary.attempts, 2)) == ["test_slow[1]", "test_broken"]
    assert names(heaviest(summary.attempts, 1)) == ["test_broken"]


def test_a_test_that_was_repeated_is_one_of_the_slowest_once(tmp_path):
    made = MadeRun(tmp_path).test("t.py::test_again", 0, 3).test("t.py::test_again", 3, 8, attempt=2)
    made.test("t.py::test_once", 8, 9)
    found = slowest(made.summary().attempts, 5)
    assert [(*names([each]), each.number) for each in found] == [("test_again", 2), ("test_once", 1)]
    assert names(heaviest(made.summary().attempts, 5)) == ["test_again", "test_once"]


def test_a_peak_tells_when_it_was_and_which_test_ran(tmp_path):
    peaks = {peak.column: peak for peak in busy_run(tmp_path).summary().peaks}
    memory = peaks["ram_used_percent"]
    assert (memory.value, memory.at_s, memory.tests) == (35.9, 5.9, [])
    assert names(each for each in busy_run(tmp_path).summary().attempts if each.end_s >= 5.5) == ["test_broken"]


def test_a_test_that_only_began_is_there_as_unfinished(tmp_path):
    made = MadeRun(tmp_path).sampled(3).test("t.py::test_a", 0.0, 1.0)
    summary = made.happened(1.0, START, TEST, id="t9", test="t.py::test_killed", worker="").summary()
    assert [(each.nodeid, each.outcome) for each in summary.attempts] == [
        ("t.py::test_a", "passed"),
        ("t.py::test_killed", "unfinished"),
    ]
    assert summary.attempts[1].cpu_s is None


def test_without_tests_csv_the_events_tell_how_the_tests_went(tmp_path):
    made = MadeRun(tmp_path).sampled(2).test("t.py::test_a", 0.5, 1.5, "failed")
    made.tests.clear()
    (attempt,) = made.summary().attempts
    assert (attempt.nodeid, attempt.outcome, attempt.start_s, attempt.duration_s) == (
        "t.py::test_a",
        "failed",
        0.5,
        1.0,
    )


def test_loads_that_were_not_reached_are_counted(tmp_path):
    summary = (
        MadeRun(tmp_path)
        .sampled(1)
        .happened(0.5, SKIP, "cpu", target="2")
        .happened(0.5, SKIP, "cpu", target="1")
        .happened(0.5, SKIP, "disk", detail='{"reason": "not reached", "loads": 70}')
        .summary()
    )
    assert dict(summary.skipped) == {"cpu": 2, "disk": 70}


def test_an_empty_folder_of_files_tells_nothing_and_does_not_break(tmp_path):
    (tmp_path / "tests.csv").write_text("nodeid,attempt,start\n")
    summary = MadeRun(tmp_path).summary()
    assert (summary.began, summary.outcomes, summary.peaks) == (None, {}, [])


def test_a_whole_run_lacks_nothing(tmp_path):
    told = busy_run(tmp_path).summary().shortcomings
    assert [said for said in told if not said.startswith("empty columns")] == []


def test_missing_files_gaps_and_open_ends_are_told(tmp_path):
    made = MadeRun(tmp_path).sampled(2).happened(0.5, START, "cpu", id="l1", target="2")
    made.samples[""] = [row for row in made.samples[""] if not 0.5 < float(row["elapsed_s"]) < 1.9]
    made.happened(0.6, START, GAP, id="g1", detail="stopped").happened(1.8, END, GAP, id="g1")
    made.happened(0.2, START, TEST, id="t1", test="t.py::test_a").happened(
        0.3, NOTE, NOTE, detail="sampler: 2 rows dropped"
    )
    told = "\n".join(made.summary().shortcomings)
    assert "tests.csv is missing or empty" in told
    assert "1 test started and did not finish, so the run was killed: t.py::test_a" in told
    assert "without a recorded end: 1 cpu; drawn up to the end of the run" in told
    assert "1 gap without samples; the curves are interrupted there" in told
    assert "from 0.6 s to 1.8 s: stopped" in told
    assert "sampler: 2 rows dropped" in told


def test_a_recording_without_tests_does_not_miss_their_table(tmp_path):
    told = MadeRun(tmp_path).sampled(2).load("cpu", "1", 0.0, 1.0, "1.00 cores").summary().shortcomings
    assert not any("tests.csv" in said for said in told)


def test_a_small_curve_needs_two_samples(tmp_path):
    made = MadeRun(tmp_path).sampled(1).test("t.py::test_a", 0.3, 0.6).test("t.py::test_late", 0.9, 2.0)
    summary = made.summary()
    curves = small_curves(summary.attempts, summary.times, summary.run.samples["cpu_percent"].to_numpy(float))
    assert curves == [[50.0] * 5, []]


def test_a_small_curve_has_nothing_of_what_was_before_the_test_or_after_it(tmp_path):
    """The sample of 0.4 s tells of the time from 0.3 s on, and that of 0.7 s of the time up to then."""
    made = MadeRun(tmp_path).sampled(1, cpu_percent=lambda at: 10.0 if 0.45 < at < 0.65 else 90.0)
    summary = made.test("t.py::test_sleeps", 0.35, 0.65).summary()
    curves = small_curves(summary.attempts, summary.times, summary.run.samples["cpu_percent"].to_numpy(float))
    assert curves == [[10.0] * 4]


def test_only_columns_that_change_have_a_distribution(tmp_path):
    made = MadeRun(tmp_path).sampled(10, ram_used_percent=lambda at: at, cpu_percent=lambda at: 100 - at)
    samples = made.summary().run.samples
    found = {each.column: each for each in distributions(samples)}
    assert set(found) == {"cpu_percent", "ram_used_percent"}
    assert found["ram_used_percent"].quantiles == pytest.approx((0.495, 4.95, 9.405))
    assert sum(found["cpu_percent"].counts) == 100
    assert correlations(samples).values[0, 1] == pytest.approx(-1.0)


def test_a_test_is_counted_by_its_last_attempt_in_each_worker_that_ran_it(tmp_path):
    made = MadeRun(tmp_path).test("t.py::test_a", 0, 1, "failed").test("t.py::test_a", 1, 2, "passed", attempt=2)
    made.test("t.py::test_b", 2, 3, worker="gw0").test("t.py::test_b", 2, 3, "failed", worker="gw1")
    made.test("t.py::test_died", 3, 4, "crashed", worker="gw0").test("t.py::test_died", 4, 5, attempt=2, worker="gw1")
    summary = made.summary()
    assert summary.outcomes == {"failed": 1, "crashed": 1, "passed": 3}
    assert [each.outcome for each in summary.attempts if each.is_bad] == ["failed", "failed", "crashed"]
    assert number_of_tests(summary.attempts) == 4


def test_what_pytest_has_counted_counts_beside_what_it_does_not_count(tmp_path):
    made = MadeRun(tmp_path).test("t.py::test_a", 0, 1).test("t.py::test_b", 1, 2, "interrupted")
    summary = made.summary()
    counted = replace(summary, run=replace(summary.run, outcomes={"passed": 1, "rerun": 2, "failed": 3}))
    assert list(counted.outcomes.items()) == [("failed", 3), ("interrupted", 1), ("passed", 1), ("rerun", 2)]
