"""A run in an interpreter and in a notebook."""

from __future__ import annotations

from dataclasses import replace

import pytest
from made_runs import MadeRun, busy_run, run_of_two_hosts, stamp

import pytest_twin


def test_the_text_of_a_run_is_a_summary_of_one_line(tmp_path):
    run = pytest_twin.load(busy_run(tmp_path).write())
    assert repr(run) == (
        f"<Run path: {run.path}; time: 2026-01-01 12:00:00 UTC, 5.9 s; machine: made up, 4 CPUs; "
        "tests: 3 (2 passed, 1 failed); samples: 60 every 0.1 s; events: 11; loads and constraints: 2; "
        f"problems: {len(run.problems) or 'none'}>"
    )


def test_a_notebook_shows_the_summary_and_each_problem(tmp_path):
    run = replace(pytest_twin.load(busy_run(tmp_path).write()), problems=("a <b> is missing",))
    page = run._repr_html_()
    assert "<tr><th scope='row'>tests</th><td>3 (2 passed, 1 failed)</td></tr>" in page
    assert "<li>a &lt;b&gt; is missing</li>" in page
    assert len(page) < 2000


def test_a_repeated_test_counts_by_its_last_attempt(tmp_path):
    made = MadeRun(tmp_path).test("t.py::a", 0, 1, "failed").test("t.py::a", 1, 2, attempt=2)
    assert "tests: 1 (1 passed)" in repr(pytest_twin.load(made.write()))


def test_the_last_sample_of_a_short_recording_which_comes_at_its_end_is_not_its_interval(tmp_path):
    made = MadeRun(tmp_path).sampled(2, interval=1.0)
    made.samples[""].append({**made.samples[""][-1], "timestamp": stamp(1.05), "elapsed_s": "1.0500"})
    made.write()
    assert "samples: 3 every 1 s" in repr(pytest_twin.load(tmp_path))
    assert made.summary().interval_s == 1.0


def test_the_summary_names_other_hosts(tmp_path):
    text = repr(pytest_twin.load(run_of_two_hosts(tmp_path).write()))
    assert "; other hosts: far;" in text
    assert "samples: 90;" in text  # of two clocks: there is no interval


@pytest.mark.parametrize("name", ["annotations.csv", "tests.csv", "system_metrics_dataset.csv"])
def test_what_is_missing_does_not_keep_from_a_summary(tmp_path, name):
    busy_run(tmp_path).write()
    (tmp_path / name).unlink()
    (tmp_path / "fingerprint.json").write_text('{"cpu": null, "memory": {"total_GB": "?"}}')
    run = pytest_twin.load(tmp_path)
    assert f"; problems: {len(run.problems)}>" in repr(run)
    assert run._repr_html_().startswith("<table>")


@pytest.mark.parametrize("first", ["timestamp,type", "timestamp,event", "timestamp,nodeid"])
def test_a_table_with_few_columns_has_a_summary_and_no_samples_of_tests(tmp_path, first):
    (tmp_path / "annotations.csv").write_text(f"{first}\n2026-01-01,x\n")
    run = pytest_twin.load(tmp_path)
    assert "; events: 1; loads and constraints: 0; " in repr(run)
    assert len(run.labelled()) == 0
