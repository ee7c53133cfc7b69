"""A run of several hosts, read host by host."""

import json

import numpy as np
import pytest
from made_runs import MadeRun, run_of_two_hosts

import pytest_twin
from pytest_twin.analysis.run.by_host import by_host
from pytest_twin.model.event import START, TEST
from pytest_twin.report.formats import summary_of
from pytest_twin.report.json_document import document


def names(attempts):
    return [attempt.nodeid.rpartition("::")[2] for attempt in attempts]


def test_frames_of_several_hosts_have_a_column_that_tells_whose_a_row_is(tmp_path):
    run = pytest_twin.load(run_of_two_hosts(tmp_path).write())
    for frame in (run.samples, run.events, run.tests):
        assert set(frame["host"].fillna("")) == {"", "far"}
        assert "host" in frame.attrs["meanings"]
    assert run.samples.groupby("host")["cpu_percent"].agg("count").to_dict() == {"far": 30}
    assert run.hosts["far"]["fingerprint"]["cpu"]["logical"] == 8


def test_a_run_is_split_into_that_of_each_host_its_own_first(tmp_path):
    parts = by_host(pytest_twin.load(run_of_two_hosts(tmp_path).write()))
    assert list(parts) == ["", "far"]
    assert [len(part.samples) for part in parts.values()] == [60, 30]
    assert [part.tests.index.size for part in parts.values()] == [2, 2]
    assert [part.fingerprint["cpu"]["logical"] for part in parts.values()] == [4, 8]
    assert all("host" not in part.samples for part in parts.values())


def test_the_name_of_a_host_is_text_though_it_looks_like_a_number(tmp_path):
    made = MadeRun(tmp_path).sampled(2, host="7").test("t.py::test_a", 0, 1, host="7")
    (tmp_path / "own").mkdir()
    (made.write() / "hosts" / "7" / "system_metrics_dataset.csv").rename(
        tmp_path / "own" / "system_metrics_dataset.csv"
    )
    (tmp_path / "annotations.csv").rename(tmp_path / "own" / "annotations.csv")
    assert list(by_host(pytest_twin.load(tmp_path / "own"))) == ["7"]


def test_what_a_killed_run_left_of_a_host_is_that_of_the_host(tmp_path):
    folder = run_of_two_hosts(tmp_path).write()
    (folder / "hosts.json").unlink()
    (folder / "hosts" / "far" / "fingerprint.json").write_text('{"cpu": {"logical": 16}}')
    assert by_host(pytest_twin.load(folder))["far"].fingerprint["cpu"]["logical"] == 16


def test_a_hosts_json_that_is_damaged_does_not_keep_a_run_from_being_told(tmp_path):
    made = run_of_two_hosts(tmp_path)
    for damaged in ('{"far": 3}', '{"far": {"fingerprint": 3}, "gone": {}}', "[]", "{"):
        (made.write() / "hosts.json").write_text(damaged)
        assert by_host(pytest_twin.load(tmp_path))["far"].fingerprint is None


def test_each_host_has_its_own_samples_tests_and_peaks(tmp_path):
    summary = run_of_two_hosts(tmp_path).summary()
    here, far = summary.by_host
    assert (names(here.attempts), names(far.attempts)) == (["test_here", "test_both"], ["test_both", "test_there"])
    assert (here.interval_s, far.interval_s) == pytest.approx((0.1, 0.2))
    assert np.all(np.diff(summary.hosts[1].times) > 0.15)
    peaks = {peak.host: peak for peak in summary.peaks if peak.column == "cpu_percent"}
    assert {host: round(peak.value, 1) for host, peak in peaks.items()} == {"": 45.9, "far": 85.8}
    assert names(summary.attempts) == ["test_here", "test_both", "test_both", "test_there"]
    assert summary.woven(lambda own: [own.host] * len(own.attempts)) == ["", "far", "", "far"]


def test_a_peak_is_put_down_to_tests_of_its_own_host(tmp_path):
    made = MadeRun(tmp_path).sampled(3).sampled(3, host="far", cpu_percent=lambda at: 90 if at == 1 else 10)
    summary = made.test("t.py::test_here", 0, 2).test("t.py::test_there", 0.5, 2, host="far").summary()
    peaks = {peak.host: peak for peak in summary.peaks if peak.column == "cpu_percent"}
    assert (peaks["far"].at_s, peaks["far"].tests) == (1, ["t.py::test_there"])


def test_what_was_asked_and_achieved_is_told_of_each_host(tmp_path):
    summary = run_of_two_hosts(tmp_path).summary()
    assert [(line.host, line.target, line.achieved) for line in summary.loads] == [
        ("", "2", ("2 cores",)),
        ("far", "2", ("1 cores",)),
    ]


def test_what_is_missing_names_the_host(tmp_path):
    made = MadeRun(tmp_path).sampled(3).sampled(6, host="far").test("t.py::test_a", 0, 1)
    made.samples["far"] = [row for row in made.samples["far"] if not 2 < float(row["elapsed_s"]) < 4]
    summary = made.happened(5, START, TEST, id="t9", test="t.py::test_killed", host="far").summary()
    told = [said for said in summary.shortcomings if "empty columns" not in said]
    assert len(told) == 3
    assert all(said.startswith("far: ") for said in told)


def test_a_host_of_which_nothing_came_is_told(tmp_path):
    made = run_of_two_hosts(tmp_path)
    (made.write() / "hosts.json").write_text(json.dumps({"far": {}, "gone": {"address": "10.0.0.9"}}))
    summary = summary_of(tmp_path)
    assert [own.host for own in summary.hosts] == ["", "far", "gone"]
    assert "gone: no samples" in summary.shortcomings


def test_the_run_of_one_other_host_is_told_as_any_run_with_its_own_fingerprint(tmp_path):
    made = MadeRun(tmp_path).sampled(3, host="far").test("t.py::test_a", 0, 1, host="far")
    summary = made.summary()
    assert summary.hosts == ()
    assert len(summary.by_host[0].attempts) == 1
    assert summary.run.fingerprint["cpu"]["logical"] == 8


def test_a_document_names_the_host_of_loads_and_peaks(tmp_path):
    found = document(run_of_two_hosts(tmp_path).summary())
    assert [load["host"] for load in found["loads"]] == ["", "far"]
    assert {peak["host"] for peak in found["peaks"]} == {"", "far"}
    assert [test["host"] for test in found["tests"]] == [None, "far", None, "far"]
    assert found["hosts"]["far"]["fingerprint"]["cpu"]["logical"] == 8
