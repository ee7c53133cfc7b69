"""A run as JSON, and the schema of it."""

import json
from pathlib import Path

import jsonschema
import pytest
from made_runs import MadeRun, busy_run, leaky_run

from pytest_twin.model.attempt_failure import AttemptFailure
from pytest_twin.model.event import START, TEST
from pytest_twin.report.json_document import document, text
from pytest_twin.report.markdown import page
from pytest_twin.report.markdown_escape import escape

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "reference" / "run.schema.json").read_text(encoding="utf-8"))


def killed(folder):
    return MadeRun(folder).sampled(2).happened(1.0, START, TEST, id="t1", test="t.py::test_killed")


def test_the_profile_is_in_the_document_and_an_old_one_has_no_failures(tmp_path):
    (tmp_path / "profile.csv").write_text("""nodeid,resource,level_percent,slowdown,slowdown_low,rank
t.py::test_a,cpu,100,1.5,,x
""")
    found = json.loads(text(MadeRun(tmp_path).sampled(2).summary()))
    jsonschema.validate(found, SCHEMA)
    (row,) = found["profile"]
    assert (row["resource"], row["level_percent"], row["slowdown"]) == ("cpu", 100, 1.5)
    assert {row[name] for name in ("slowdown_low", "rank", "runs", "failures", "error", "host")} == {None}


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("made", [busy_run, killed, lambda folder: MadeRun(folder).load("cpu", "2", 0, 1)])
def test_every_document_fits_the_published_schema(tmp_path, made):
    jsonschema.validate(json.loads(text(made(tmp_path).summary())), SCHEMA)


def test_the_document_has_the_figures_of_the_run(tmp_path):
    found = document(busy_run(tmp_path).summary())
    assert found["run"] == {"began": "2026-01-01T12:00:00.000Z", "duration_s": 5.9, "samples": 60, "interval_s": 0.1}
    assert found["totals"] == {
        "tests": 3, "attempts": 3, "outcomes": {"failed": 1, "passed": 2}, "cpu_s": 4.75, "peak_memory_MB": 300.0,
        "memory_growth_MB": None, "memory_kept": {}, "loads": 2, "loads_not_reached": 0,
    }  # fmt: skip
    row = found["tests"][0]
    assert (row["nodeid"], row["call_s"], row["read_MB"]) == ("tests/test_a.py::test_quick", 0.5, None)
    assert found["loads"][1]["troubles"] == ["starved: achieved 20 % of the request"]


def test_each_failed_attempt_has_its_error_and_what_stood_out_as_the_other_reports_say_it(tmp_path):
    made = busy_run(tmp_path)
    failure = AttemptFailure("tests/test_b.py::test_broken", message="assert 1 == 2", phase="call")
    (tmp_path / "failures.jsonl").write_text(failure.line, encoding="utf-8")
    summary = made.summary()
    (found,) = document(summary)["failures"]
    sentence = found.pop("explanation")
    assert found == {
        "host": "", "nodeid": "tests/test_b.py::test_broken", "worker": "", "attempt": 1, "outcome": "failed",
        "errors": ["assert 1 == 2"],
    }  # fmt: skip
    assert "CPU in 1.50 s" in sentence
    assert escape(sentence) in page(summary)


def test_a_document_of_an_older_version_without_failures_fits_the_schema(tmp_path):
    found = document(busy_run(tmp_path).summary())
    del found["failures"]
    jsonschema.validate(found, SCHEMA)
    del found["tests"]
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(found, SCHEMA)


def test_the_document_names_the_tests_that_left_memory_behind(tmp_path):
    found = document(leaky_run(tmp_path).summary())
    assert found["totals"]["memory_growth_MB"] == 60.0
    assert found["totals"]["memory_kept"] == {"t.py::test_leak": 60.0}
    jsonschema.validate(found, SCHEMA)


def test_a_peak_has_the_time_of_its_row_as_the_tests_have(tmp_path):
    made = MadeRun(tmp_path).sampled(3, cpu_percent=lambda at: at).test("t.py::test_it", 1, 3)
    for row in [*made.samples[""], *made.events, *made.tests]:  # a recording is older than its first row
        row["elapsed_s"] = f"{float(str(row['elapsed_s'])) + 0.25:.4f}"
    found = document(made.summary())
    assert found["tests"][0]["elapsed_s"] == 1.25
    assert [peak["elapsed_s"] for peak in found["peaks"] if peak["column"] == "cpu_percent"] == [3.15]


def test_a_peak_of_rows_without_seconds_has_none(tmp_path):
    made = MadeRun(tmp_path).sampled(3)
    for row in made.samples[""]:
        row["elapsed_s"] = ""
    found = document(made.summary())
    assert found["peaks"][0]["elapsed_s"] is None
    jsonschema.validate(found, SCHEMA)


def test_a_killed_test_is_named(tmp_path):
    assert document(killed(tmp_path).summary())["unfinished"] == ["t.py::test_killed"]


def test_the_document_is_json_for_every_reader(tmp_path):
    made = MadeRun(tmp_path).sampled(1, cpu_percent=lambda at: "nan" if at else 1)
    assert "NaN" not in text(made.summary())
