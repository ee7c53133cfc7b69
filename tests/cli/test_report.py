"""``pytest-twin report`` and ``pytest-twin trace``, as typed."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner
from made_runs import MadeRun, busy_run
from saved_runs import made

from pytest_twin.cli import main
from pytest_twin.report import formats


@pytest.fixture
def twin(tmp_path, monkeypatch):
    """Runs a command in an empty folder; comes back with what it wrote, and its exit status."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        done = CliRunner().invoke(main, [str(word) for word in words])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.output
        return done.output, done.exit_code

    return run


def test_a_report_is_written_into_the_folder_of_the_run(twin, tmp_path):
    busy_run(tmp_path / "twin-report").write()
    assert twin("report") == ("twin-report/report.html\n", 0)
    assert '<h1><a href="#failures">1 failed, 2 passed</a></h1>' in (
        tmp_path / "twin-report" / "report.html"
    ).read_text(encoding="utf-8")


def test_several_forms_are_made_at_once(twin, tmp_path):
    busy_run(tmp_path / "kept").write()
    assert twin("report", "kept", "--format", "md,json") == ("kept/summary.md\nkept/run.json\n", 0)
    assert json.loads((tmp_path / "kept" / "run.json").read_text(encoding="utf-8"))["totals"]["tests"] == 3


def test_a_report_goes_where_it_is_told(twin, tmp_path):
    busy_run(tmp_path / "kept").write()
    assert twin("report", "kept", "--format=md", "-o", "out/run.md") == ("out/run.md\n", 0)
    assert (tmp_path / "out" / "run.md").exists()


def test_a_trace_is_written_into_the_folder_of_the_run(twin, tmp_path):
    busy_run(tmp_path / "kept").write()
    assert twin("trace", "kept") == ("kept/export/trace.json\n", 0)
    path = tmp_path / "kept" / "export" / "trace.json"
    assert len(json.loads(path.read_text(encoding="utf-8"))["traceEvents"]) > 50


def test_the_folder_of_one_test_has_a_report_of_its_own(twin, tmp_path):
    made = MadeRun(tmp_path / "one").sampled(2).test("t.py::test_a", 0.5, 1.5)
    made.tests.clear()
    made.write()
    assert twin("report", "one", "--format=md")[1] == 0
    assert (tmp_path / "one" / "summary.md").read_text(encoding="utf-8").startswith("## pytest-twin: 1 passed")


def test_one_file_has_a_report_beside_it(twin, tmp_path):
    MadeRun(tmp_path).sampled(2).write()
    assert twin("report", "system_metrics_dataset.csv", "--format=md") == ("summary.md\n", 0)


def test_the_folder_of_the_old_scripts_has_a_report(twin, tmp_path):
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "annotations.csv").write_text(
        "timestamp,event,detail\n"
        "2025-10-11 02:30:35,start,cpu_spike | PID=1 | python stressors\\cpu_stress.py --procs 8 --duration 180\n"
        "2025-10-11 02:33:35,end,cpu_spike | PID=1\n"
        "2025-10-11 02:31:00,2025-10-11 02:35:00,disk_io,python stressors\\disk_stress.py --size_mb 800 --block_mb 20\n"
    )
    (tmp_path / "old" / "system_metrics_dataset.csv").write_text(
        "timestamp,cpu_percent,ram_used_percent\n2025-10-11 02:30:00,5,40\n2025-10-11 02:31:00,99,41\n"
    )
    assert twin("report", "old", "--format=html,md")[1] == 0
    text = (tmp_path / "old" / "summary.md").read_text(encoding="utf-8")
    assert "| cpu | 8 |  | 1 | 3:00 min |" in text
    assert "| disk | 800MiB |  | 1 | 4:00 min |" in text


def test_a_killed_run_has_a_report_that_says_so(twin, tmp_path):
    made = MadeRun(tmp_path / "killed").sampled(2).test("t.py::test_a", 0, 1)
    folder = made.happened(1, "start", "test", id="t9", test="t.py::test_b").write()
    with (folder / "system_metrics_dataset.csv").open("a") as file:
        file.write("2026-01-01T12:00:02")  # as far as it came
    assert twin("report", "killed", "--format=md")[1] == 0
    text = (folder / "summary.md").read_text(encoding="utf-8")
    assert text.startswith("## pytest-twin: 1 unfinished, 1 passed")
    assert r"1 test started and did not finish, so the run was killed: t.py::test\_b" in text


def test_a_folder_without_a_run_is_one_clear_line(twin, tmp_path):
    (tmp_path / "empty").mkdir()
    files = "system_metrics_dataset.csv, annotations.csv or tests.csv"
    said = f"Error: {tmp_path / 'empty'} has no {files}; give the folder of a run\n"
    assert twin("report", "empty") == (said, 1)
    assert twin("trace", "empty") == (said, 1)


def test_an_unknown_form_is_named_with_those_there_are(twin):
    output, status = twin("report", "--format=htm")
    assert status == 2
    assert "Error: --format: 'htm' is not one of html, md, json; did you mean \"html\"?" in output


def test_the_json_document_can_have_a_file_of_its_own(twin, tmp_path):
    MadeRun(tmp_path / "run").sampled(2).write()
    assert twin("report", "run", "--format=md,json=out/mine.json") == ("run/summary.md\nout/mine.json\n", 0)
    assert (tmp_path / "out" / "mine.json").read_text(encoding="utf-8").startswith('{\n "version": 1,')
    output, status = twin("report", "run", "--format=json=a.json", "-o", "b.json")
    assert status == 2
    assert "Error: --output: --format json=a.json names a file already; omit one of the two" in output


def test_one_file_cannot_take_two_forms(twin):
    output, status = twin("report", "--format=html,md", "-o", "x")
    assert status == 2
    assert "Error: --output takes one format; omit it to write each format into DIR" in output


def test_a_form_that_needs_what_is_not_installed_says_how_to_get_it(twin, monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda name: None if name == "plotly" else name)
    said = "Error: html needs plotly; pip install 'pytest-twin[report]'\n"
    assert twin("report", "anything") == (said, 1)


def test_a_place_where_nothing_can_be_written_is_one_clear_line(twin, tmp_path):
    busy_run(tmp_path / "kept").write()
    (tmp_path / "taken").write_text("")
    output, status = twin("report", "kept", "--format=md", "-o", "taken/summary.md")
    assert (output, status) == ("Error: taken/summary.md: File exists\n", 1)
    output, status = twin("trace", "kept", "-o", "taken/trace.json")
    assert (output, status) == ("Error: taken/trace.json: Not a directory\n", 1)


def test_a_report_compares_with_what_is_named(twin, tmp_path):
    made(tmp_path / "before", {"t.py::test_a": 0.1})
    made(tmp_path / "after", {"t.py::test_a": 0.3})
    (tmp_path / "pyproject.toml").write_text('[tool.pytest-twin]\nfail_on = "duration>50%"\n')
    assert twin("report", "after", "--compare", "before", "--format=html,md")[1] == 0
    for name in ("report.html", "summary.md"):
        text = (tmp_path / "after" / name).read_text(encoding="utf-8")
        assert "x3.00" in text
        assert "failed, 2 of" in text  # of the test, and of all together


def test_what_cannot_be_compared_is_one_clear_line(twin, tmp_path):
    made(tmp_path / "after", {"t.py::test_a": 0.3})
    made(tmp_path / "other", {"t.py::test_b": 0.3})
    known = f"{tmp_path / '.twin-baselines'} (none saved; --twin-save NAME saves one)"
    where = f"neither a baseline in {known} nor a folder with tests.csv"
    assert twin("report", "after", "--compare", "main") == (f"Error: --compare: main: {where}\n", 1)
    said = "Error: --compare: no test passed both in other and in after: nothing can be compared\n"
    assert twin("report", "after", "--compare", "other") == (said, 1)


OWN = "written by somebody\n"


@pytest.mark.parametrize(
    ("words", "file"),
    [
        (["report", "kept", "--format=md"], "kept/summary.md"),
        (["report", "kept", "--format=json"], "kept/run.json"),
        (["report", "kept"], "kept/report.html"),
        (["report", "kept", "--format=md", "-o", "mine.md"], "mine.md"),
        (["trace", "kept"], "kept/export/trace.json"),
        (["trace", "kept", "-o", "mine.json"], "mine.json"),
    ],
)
def test_a_file_of_somebody_else_is_not_replaced(twin, tmp_path, words, file):
    busy_run(tmp_path / "kept").write()
    (tmp_path / "kept" / "export").mkdir()
    (tmp_path / file).write_text(OWN, encoding="utf-8")
    assert twin(*words) == (
        f"Error: {file} exists and was not written by pytest-twin; remove it or choose another file\n", 1
    )  # fmt: skip
    assert (tmp_path / file).read_text(encoding="utf-8") == OWN


@pytest.mark.parametrize("words", [["report", "kept", "--format=md,json,html"], ["trace", "kept"]])
def test_a_file_of_an_earlier_run_and_an_empty_one_are_replaced(twin, tmp_path, words):
    busy_run(tmp_path / "kept").write()
    (tmp_path / "kept" / "run.json").touch()
    first = twin(*words)
    assert first[1] == 0
    assert twin(*words) == first


def test_a_trace_is_one_of_the_formats_of_export(twin, tmp_path):
    busy_run(tmp_path / "kept").write()
    assert twin("trace", "kept", "-o", "one.json") == ("one.json\n", 0)
    assert twin("export", "kept", "--format=chrome-trace", "-o", "other.json") == ("other.json\n", 0)
    assert (tmp_path / "one.json").read_text() == (tmp_path / "other.json").read_text()


def test_an_unknown_format_is_named_with_those_there_are(twin):
    output, status = twin("export", "--format=perfetto")
    assert status == 2
    assert "'perfetto' is not one of 'chrome-trace', 'csv-long', 'influx', " in output


def test_the_page_has_the_scorecard_of_a_replay(twin, tmp_path):
    """With both curves of CPU and memory on one axis each, and their difference."""
    pytest.importorskip("scipy")
    rows = {"ram_used_percent": 30.0, "disk_read_MB": 0.0, "disk_write_MB": 0.0}
    for name, factor in (("recorded", 1.0), ("replayed", 0.8)):
        made = MadeRun(tmp_path / name)
        made.sampled(60, 1.0, cpu_percent=lambda at, factor=factor: factor * (30 + at % 7 * 8), **rows).write()
    recording = tmp_path / "recorded" / "system_metrics_dataset.csv"
    assert twin("report", "replayed", "--replay-of", recording) == ("replayed/report.html\n", 0)
    page = (tmp_path / "replayed" / "report.html").read_text(encoding="utf-8")
    _, _, section = page.partition('<section id="fidelity"')
    section, _, _ = section.partition("</section>")
    assert 'href="#fidelity">Replay</a>' in page
    assert f"A replay of {recording}: failed (" in section
    assert section.count('class="recorded" d="M') == section.count('class="replayed" d="M') == 2
    assert section.count('class="difference" d="M') == 2
    assert "<h3>Gates</h3>" in section
    assert section.count("<h2") == 1
    assert twin("report", "replayed")[1] == 0
    assert 'id="fidelity"' not in (tmp_path / "replayed" / "report.html").read_text(encoding="utf-8")


def test_a_recording_that_cannot_be_read_is_told_in_one_line(twin, tmp_path):
    busy_run(tmp_path / "twin-report").write()
    text, status = twin("report", "--replay-of", "none.csv")
    assert (text.splitlines()[-1], status) == ("Error: --replay-of: none.csv: No such file or directory", 1)


def replayed(folder, **event):
    """A recording, and beside it the run of a schedule that replays it."""
    rows = {"ram_used_percent": 30.0, "disk_read_MB": 0.0, "disk_write_MB": 0.0}
    for name in ("recorded", "replayed"):
        MadeRun(folder / name).sampled(60, 1.0, cpu_percent=lambda at: 30 + at % 7 * 8, **rows).write()
    (folder / "recorded" / "system_metrics_dataset.csv").rename(folder / "server.csv")
    event = {"id": "e1", "start": "0s", "duration": "60s", "replay": "../server.csv", **event}
    (folder / "replayed" / "schedule.json").write_text(json.dumps({"events": [event]}))


def has_scorecard(twin, folder):
    assert twin("report", "replayed") == ("replayed/report.html\n", 0)
    page = (folder / "replayed" / "report.html").read_text(encoding="utf-8")
    assert ("A replay of server.csv: " in page) == ('id="fidelity"' in page)
    return 'id="fidelity"' in page


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"speed": 1.0, "note": "a day", "strict": True},
        {"from": "7s", "duration": "53s"},
        {"to": "40s", "duration": 40},
    ],
)
def test_the_page_of_a_replay_has_its_scorecard_without_an_option(twin, tmp_path, event):
    pytest.importorskip("scipy")
    replayed(tmp_path, **event)
    assert has_scorecard(twin, tmp_path)
    page = (tmp_path / "replayed" / "report.html").read_text(encoding="utf-8")
    assert "A replay of server.csv: passed" in page


@pytest.mark.parametrize(
    "event",
    [
        {"speed": 2},
        {"start": "1s"},
        {"start": "soon"},
        {"duration": "30s"},
        {"from": "5s"},
        {"from": "50s", "to": "40s"},
        {"busiest": "2h"},
        {"scale": "cpu*0"},
        {"scale": "net*2"},
        {"tests": "tests/*"},
        {"cpu": 1},
        {"replay": 3},
        {"replay": "../gone.csv"},
        {"replay": "../replayed/report.html"},
    ],
)
def test_what_is_not_the_replay_of_a_recording_has_no_scorecard(twin, tmp_path, event):
    replayed(tmp_path, **event)
    assert not has_scorecard(twin, tmp_path)


def test_a_scaled_replay_is_judged_by_the_scaled_recording(twin, tmp_path):
    pytest.importorskip("scipy")
    replayed(tmp_path, scale="cpu*1.5")
    assert has_scorecard(twin, tmp_path)
    page = (tmp_path / "replayed" / "report.html").read_text(encoding="utf-8")
    assert "cpu: mean bias (NMBE) -3" in page


@pytest.mark.parametrize("events", [[], {}, ["replay"], [{"replay": "../server.csv"}] * 2])
def test_a_schedule_of_other_events_has_no_scorecard(twin, tmp_path, events):
    replayed(tmp_path)
    (tmp_path / "replayed" / "schedule.json").write_text(json.dumps({"events": events}))
    assert not has_scorecard(twin, tmp_path)


def test_a_replay_beside_tests_has_no_scorecard(twin, tmp_path):
    """The tests are in the samples too."""
    replayed(tmp_path)
    (tmp_path / "replayed" / "tests.csv").unlink(missing_ok=True)
    MadeRun(tmp_path / "replayed").sampled(60, 1.0).test("t.py::test_a", 1, 2).write()
    assert not has_scorecard(twin, tmp_path)


def test_without_scipy_the_page_of_a_replay_has_no_scorecard(twin, tmp_path, monkeypatch):
    replayed(tmp_path)
    monkeypatch.setattr("pytest_twin.report.fidelity.build.find_spec", lambda name: None)
    assert not has_scorecard(twin, tmp_path)
