"""Samples labelled with the tests that they were taken in, above all at the borders of tests."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from made_runs import MadeRun, run_of_two_hosts

import pytest_twin
from pytest_twin import Run
from pytest_twin.model.event import START, TEST


def made(folder, seconds=3.0, **values):
    return MadeRun(folder).sampled(seconds, **values)


def times(frame: pd.DataFrame) -> list[float]:
    return frame["elapsed_s"].round(4).tolist()


def steps(first: float, last: float) -> list[float]:
    """The times of the samples from one to another."""
    return [round(tenth / 10, 1) for tenth in range(round(first * 10), round(last * 10) + 1)]


def test_a_sample_belongs_to_the_test_within_which_its_interval_lies(tmp_path):
    made(tmp_path).test("t.py::test_a", 0.5, 1.0).write()
    run = pytest_twin.load(tmp_path)
    assert times(run.during("t.py::test_a")) == steps(0.6, 1.0)  # that of 0.5 tells of the time before the test


@pytest.mark.parametrize(("start", "end"), [(0.55, 1.05), (0.51, 1.0), (0.59, 1.09)])
def test_a_sample_across_the_start_or_the_end_of_a_test_belongs_to_no_test(tmp_path, start, end):
    made(tmp_path).test("t.py::test_a", start, end).test("t.py::test_b", end, 2.0).write()
    labelled = pytest_twin.load(tmp_path).labelled()
    assert times(labelled[labelled["test"] == "t.py::test_a"]) == steps(0.7, 1.0)
    assert times(labelled[labelled["test"] == "t.py::test_b"]) == steps(1.2 if end > 1.0 else 1.1, 2.0)
    assert 1.1 not in times(labelled.dropna(subset="test")) or end == 1.0


def test_each_sample_has_one_row_where_one_test_runs_at_a_time(tmp_path):
    made(tmp_path).test("t.py::test_a", 0.52, 1.0).test("t.py::test_b", 1.0, 1.7).write()
    run = pytest_twin.load(tmp_path)
    labelled = run.labelled()
    assert list(labelled.columns) == ["test", "attempt", "worker", *run.samples.columns]
    pd.testing.assert_frame_equal(labelled[run.samples.columns], run.samples)
    assert labelled["test"].isna().sum() == len(labelled) - 4 - 7
    assert labelled["attempt"].dropna().tolist() == [1] * 11
    assert str(labelled["attempt"].dtype) == "Int64"


def test_the_first_sample_of_a_run_belongs_to_no_test(tmp_path):
    """Nobody knows since when it counts."""
    made(tmp_path).test("t.py::test_a", 0.0, 1.0).write()
    assert times(pytest_twin.load(tmp_path).during("t.py::test_a")) == steps(0.1, 1.0)


def test_a_sample_during_several_tests_has_a_row_for_each(tmp_path):
    run = made(tmp_path).test("t.py::test_a", 0.5, 1.5, worker="gw0").test("t.py::test_b", 1.0, 2.0, worker="gw1")
    labelled = pytest_twin.load(run.write()).labelled()
    both = labelled[labelled["elapsed_s"].between(1.05, 1.55)]
    assert both["test"].tolist() == ["t.py::test_a", "t.py::test_b"] * 5
    assert both["worker"].tolist() == ["gw0", "gw1"] * 5
    assert times(labelled[labelled["test"] == "t.py::test_a"]) == steps(0.6, 1.5)
    assert labelled.index.is_monotonic_increasing


def test_each_attempt_of_a_test_has_its_own_samples(tmp_path):
    name = "t.py::test_a"
    made(tmp_path).test(name, 0.5, 1.0, "failed").test(name, 1.0, 1.5, attempt=2).write()
    during = pytest_twin.load(tmp_path).during(name)
    assert times(during[during["attempt"] == 1]) == steps(0.6, 1.0)
    assert times(during[during["attempt"] == 2]) == steps(1.1, 1.5)


def test_a_long_interval_belongs_to_a_test_only_if_all_of_it_lies_within(tmp_path):
    """The sampler was stopped for a second, in which a test ended and another one began."""
    run = made(tmp_path)
    run.samples[""] = [row for row in run.samples[""] if not 1.05 < float(row["elapsed_s"]) < 1.95]
    run.test("t.py::test_a", 0.5, 1.5).test("t.py::test_b", 1.5, 2.5).write()
    read = pytest_twin.load(tmp_path)
    assert times(read.during("t.py::test_a")) == steps(0.6, 1.0)
    assert times(read.during("t.py::test_b")) == steps(2.1, 2.5)


def test_a_cell_that_covers_more_than_its_row_is_empty_where_that_was_before_the_test(tmp_path):
    """At intervals of 0.05 s the CPU is read with each second row, and the rows between repeat its share."""
    run = made(tmp_path, interval=0.05, ram_used_percent=30.0).test("t.py::test_a", 0.5, 1.0)
    during = pytest_twin.load(run.write()).during("t.py::test_a")
    own = during["cpu_percent"].notna()
    assert during["elapsed_s"].iloc[0] == pytest.approx(0.55)
    assert own.tolist() == sorted(own.tolist())  # empty at the beginning only
    assert during["elapsed_s"][own].min() - 2 * 0.05 >= 0.5 - 1e-6
    assert own.sum() >= 5
    assert during["ram_used_percent"].notna().all()  # the state at the time of the row
    labelled = pytest_twin.load(tmp_path).labelled()
    assert labelled.loc[labelled["test"].isna(), "cpu_percent"].notna().all()


def test_a_test_has_the_samples_of_its_own_host(tmp_path):
    run = pytest_twin.load(run_of_two_hosts(tmp_path).write())
    both = run.during("t.py::test_both")
    assert both.groupby(both["host"].fillna("own"))["elapsed_s"].agg(["min", "max"]).round(4).to_dict("index") == {
        "far": {"min": 0.8, "max": 3.4}, "own": {"min": 2.1, "max": 4.0},
    }  # fmt: skip
    assert set(run.during("t.py::test_there")["host"]) == {"far"}
    assert len(run.labelled().drop_duplicates(["elapsed_s", "host"])) == len(run.samples)


def test_an_unknown_test_is_an_error_that_names_a_similar_one(tmp_path):
    run = pytest_twin.load(made(tmp_path).test("t.py::test_a", 0.5, 1.0).write())
    with pytest.raises(KeyError, match=r'unknown test "t.py::tst_a"; did you mean "t.py::test_a"\?'):
        run.during("t.py::tst_a")


def test_a_test_between_two_samples_has_none(tmp_path):
    run = pytest_twin.load(made(tmp_path).test("t.py::test_a", 0.52, 0.58).write())
    assert list(run.during("t.py::test_a").columns) == list(run.labelled().columns)
    assert len(run.during("t.py::test_a")) == 0


def test_events_tell_of_tests_without_a_row_in_tests_csv(tmp_path):
    """As in the folder of one test, and where a run was killed."""
    run = made(tmp_path).test("t.py::test_a", 0.5, 1.0).test("t.py::test_a", 1.0, 1.5).test("t.py::test_b", 1.5, 2.0)
    run.happened(2.5, START, TEST, id="t99", test="t.py::test_c")
    read = pytest_twin.load(run.write())
    for rows in (3, 1, 0):
        known = replace(read, tests=read.tests.iloc[:rows])
        assert times(known.during("t.py::test_a")) == [*steps(0.6, 1.0), *steps(1.1, 1.5)]
        assert times(known.during("t.py::test_b")) == steps(1.6, 2.0)
        assert times(known.during("t.py::test_c")) == steps(2.6, 2.9)  # to the end


def test_a_run_without_tests_has_samples_of_no_test(tmp_path):
    labelled = pytest_twin.load(made(tmp_path, 1.0).write()).labelled()
    assert (len(labelled), labelled["test"].notna().sum()) == (10, 0)


def test_a_run_without_samples_has_no_rows(tmp_path):
    run = pytest_twin.load(MadeRun(tmp_path).test("t.py::test_a", 0.5, 1.0).write())
    assert [len(run.labelled()), len(run.during("t.py::test_a"))] == [0, 0]


def test_labelled_samples_keep_the_units_and_explain_their_own_columns(tmp_path):
    attrs = pytest_twin.load(made(tmp_path).test("t.py::test_a", 0.5, 1.0).write()).labelled().attrs
    assert attrs["units"]["cpu_percent"] == "%"
    assert attrs["meanings"]["test"].startswith("Node ID of the test")


def test_labelling_leaves_the_samples_of_the_run_as_they_are(tmp_path):
    run = pytest_twin.load(made(tmp_path, interval=0.05).test("t.py::test_a", 0.5, 1.0).write())
    before = run.samples.copy()
    run.labelled()
    pd.testing.assert_frame_equal(run.samples, before)
    assert "test" not in run.samples.attrs["meanings"]


BORDERS = st.lists(st.integers(0, 300), min_size=2, max_size=8, unique=True)


def frame_of(times: list[float], **columns) -> pd.DataFrame:
    index = pd.DatetimeIndex(pd.Timestamp("2026-01-01", tz="UTC") + pd.to_timedelta(times, unit="s"))
    return pd.DataFrame({"elapsed_s": times, **columns}, index=index)


@settings(max_examples=25, deadline=None)
@given(BORDERS, BORDERS)
def test_a_sample_is_of_a_test_exactly_if_its_interval_lies_within(one, other):
    """Times in hundredths of a second; a sample each tenth, and two tests at once."""
    spans = {
        (name, start): end
        for name, borders in (("a", sorted(one)), ("b", sorted(other)))
        for start, end in zip(borders[::2], borders[1::2], strict=False)
    }
    starts = [start / 100 for _, start in spans]
    durations = [(end - start) / 100 for (_, start), end in spans.items()]
    names = [f"{name}{start}" for name, start in spans]
    tests = frame_of(starts, nodeid=names, duration_s=durations)
    run = Run(Path(), frame_of([tenth / 10 for tenth in range(30)]), frame_of([]), tests)
    labelled = run.labelled().dropna(subset="test")
    found = {(name, round(at * 100)) for name, at in zip(labelled["test"], labelled["elapsed_s"], strict=True)}
    assert found == {
        (f"{name}{start}", at)
        for (name, start), end in spans.items()
        for at in range(10, 300, 10)
        if start <= at - 10 and at <= end
    }
