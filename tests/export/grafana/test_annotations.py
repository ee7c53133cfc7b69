"""The borders of a run as annotations."""

from __future__ import annotations

from made_runs import BEGAN, MadeRun, busy_run, run_of_two_hosts

from pytest_twin.export.grafana.annotations import LONGEST, annotations_of, tag_of
from pytest_twin.model.event import NOTE, PHASE
from pytest_twin.report.formats import summary_of

ZERO = round(BEGAN.timestamp() * 1000)


def found(made):
    return [
        ((each.start_ms - ZERO) / 1000, (each.end_ms - ZERO) / 1000, each.text, each.tags[2:])
        for each in annotations_of(made.summary())
    ]


def test_loads_failed_tests_and_notes_have_their_exact_times(tmp_path):
    assert found(busy_run(tmp_path)) == [
        (0.6, 3.9, "cpu=75%, achieved 74.8%", ("load", "cpu")),
        (1.0, 1.0, "half way", ("note",)),
        (4.0, 5.5, "tests/test_b.py::test_broken failed", ("test", "failed")),
        (4.1, 5.4, "disk=50MB/s, achieved 10.0MB/s (abort)", ("load", "disk")),
    ]


def test_constraints_and_phases_are_there_too(tmp_path):
    made = MadeRun(tmp_path).sampled(6).test("t.py::test_one", 0, 5)
    made.load("constraint", "cpu=0.5", 1, 2, "0.48 CPUs")
    for at, what in ((3, "start"), (4, "end")):
        made.happened(at, what, PHASE, id="p", target="warm up")
    assert found(made) == [
        (1.0, 2.0, "constrain cpu=0.5, achieved 0.48 CPUs", ("constraint",)),
        (3.0, 4.0, "warm up", ("phase",)),
    ]


def test_each_has_the_tags_of_pytest_twin_and_of_its_run(tmp_path):
    summary = busy_run(tmp_path).summary()
    assert tag_of(summary) == "run:2026-01-01T12:00:00.000Z"
    assert {each.tags[:2] for each in annotations_of(summary)} == {("pytest-twin", "run:2026-01-01T12:00:00.000Z")}


def test_a_load_that_did_not_end_ends_with_the_run(tmp_path):
    made = MadeRun(tmp_path).sampled(6).happened(1, "start", "cpu", id="c", target="2")
    assert found(made) == [(1.0, 5.9, "cpu=2 (unfinished)", ("load", "cpu"))]


def test_another_host_is_named(tmp_path):
    texts = [text for _, _, text, _ in found(run_of_two_hosts(tmp_path))]
    assert "cpu=2, achieved 1 cores on far" in texts


def test_a_text_is_one_line_of_html_and_not_too_long(tmp_path):
    made = MadeRun(tmp_path).sampled(2)
    made.happened(1, NOTE, NOTE, detail="<b>bold</b> & two\nlines").happened(1.5, NOTE, NOTE, detail="x" * 9999)
    texts = [text for _, _, text, _ in found(made)]
    assert texts == ["&lt;b&gt;bold&lt;/b&gt; &amp; two lines", "x" * (LONGEST - 3) + "..."]


def test_a_run_without_a_row_has_none(tmp_path):
    dataset = MadeRun(tmp_path).sampled(1).write() / "system_metrics_dataset.csv"
    dataset.write_text(dataset.read_text().partition("\n")[0] + "\n")
    assert annotations_of(summary_of(tmp_path)) == []
