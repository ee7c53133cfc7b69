"""Reports at the end of a run."""

from __future__ import annotations

import json
import sys

import pytest

from pytest_twin.report import formats

TWO = """
    def test_good(): pass
    def test_bad(): assert 0
"""


@pytest.fixture(autouse=True)
def step(pytester, monkeypatch):
    """The file that GitHub shows beside a job; here there is none unless a test asks for it."""
    monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
    return pytester.path / "step.md"


@pytest.mark.parametrize("options", [["--twin-report=html,md,json=out/run.json"],
                                     ["--twin-report=html,md", "--twin-json=out/run.json"]])  # fmt: skip
def test_reports_are_made_at_the_end_and_told(pytester, left, options):
    pytester.makepyfile(TWO)
    result = pytester.runpytest("--twin", *options)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        ["report: twin-report/report.html", "report: twin-report/summary.md", "report: out/run.json"]
    )
    assert '<h1><a href="#failures">1 failed, 1 passed</a></h1>' in (left.folder / "report.html").read_text(
        encoding="utf-8"
    )
    document = json.loads((pytester.path / "out" / "run.json").read_text(encoding="utf-8"))
    assert document["totals"]["outcomes"] == {"failed": 1, "passed": 1}


def test_the_summary_is_added_to_that_of_the_job(pytester, step, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(step))
    step.write_text("from another step\n")
    pytester.makepyfile(TWO)
    pytester.runpytest("--twin", "--twin-report=md")
    assert step.read_text(encoding="utf-8").startswith("from another step\n## pytest-twin: 1 failed, 1 passed\n")


def test_a_summary_of_the_job_that_cannot_be_written_is_a_warning(pytester, step, monkeypatch):
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(step / "no"))
    pytester.makepyfile(TWO)
    result = pytester.runpytest("--twin", "--twin-report=md")
    result.stdout.fnmatch_lines([f"warning: GITHUB_STEP_SUMMARY: {step / 'no'}: No such file or directory"])


def test_without_the_option_no_report_is_made(pytester, left):
    pytester.makepyfile(TWO)
    result = pytester.runpytest("--twin")
    result.stdout.fnmatch_lines(["report: pytest-twin report twin-report"])
    assert not (left.folder / "report.html").exists()


def test_a_run_that_recorded_nothing_says_so(pytester):
    pytester.makepyfile(TWO)
    result = pytester.runpytest("--twin-report=html", "--collect-only")
    result.stdout.fnmatch_lines(["twin: nothing was recorded, so there is no report"])


def test_an_unknown_form_stops_the_run_before_it_begins(pytester):
    result = pytester.runpytest("--twin", "--twin-report=pdf")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: --twin-report: 'pdf' is not one of html, md, json"])


@pytest.mark.parametrize(
    ("file", "text"),
    [("pytest.ini", "[pytest]\ntwin_report = md,json=out/run.json\n"),
     ("pyproject.toml", "[tool.pytest-twin]\nreport = ['md', 'json=out/run.json']\n"),
     ("pyproject.toml", "[tool.pytest.ini_options]\ntwin_report = 'md'\ntwin_json = 'out/run.json'\n")],
)  # fmt: skip
def test_the_file_of_the_json_document_may_stand_in_a_configuration(pytester, left, file, text):
    (pytester.path / file).write_text(text)
    pytester.makepyfile("def test_good(): pass")
    result = pytester.runpytest()
    result.stdout.fnmatch_lines(["report: twin-report/summary.md", "report: out/run.json"])
    assert json.loads((pytester.path / "out" / "run.json").read_text(encoding="utf-8"))["totals"]["tests"] == 1


def test_what_a_report_needs_is_looked_for_before_the_tests(pytester, monkeypatch):
    monkeypatch.setattr(formats, "find_spec", lambda name: None if name == "tsdownsample" else name)
    result = pytester.runpytest("--twin", "--twin-report=html")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: --twin-report: html needs tsdownsample; pip install 'pytest-twin[[]report[]]'"]
    )


def test_a_report_that_cannot_be_written_is_a_warning_and_not_a_failure(pytester):
    pytester.makepyfile("def test_good(): pass")
    (pytester.path / "taken").write_text("")
    result = pytester.runpytest("--twin", "--twin-json=taken/run.json")
    assert result.ret == 0
    result.stdout.fnmatch_lines(["warning: no report: *run.json: *"])


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize("flag", ["--twin-report=md", pytest.param("--twin-save=it", marks=pytest.mark.slow)])
def test_an_interrupt_while_it_is_reported_leaves_the_failures_of_tests_to_be_told(pytester, flag):
    pytester.makeconftest("""
        import os, signal
        from pytest_twin.plugin import baseline
        from pytest_twin.report import session_reports

        def interrupted(*_, **__): os.kill(os.getpid(), signal.SIGINT)

        session_reports.summary_of = baseline.save = interrupted
    """)
    pytester.makepyfile(TWO)
    result = pytester.runpytest_subprocess("--twin", flag)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["warning: interrupted before the run was saved*", "FAILED *::test_bad*"])
    assert result.ret == pytest.ExitCode.INTERRUPTED


@pytest.mark.slow
def test_under_xdist_one_report_is_of_all_workers(pytester, left):
    pytest.importorskip("xdist")
    pytester.makepyfile(TWO)
    result = pytester.runpytest("--twin", "-n2", "--twin-report=md")
    result.assert_outcomes(passed=1, failed=1)
    assert "1 failed, 1 passed" in (left.folder / "summary.md").read_text(encoding="utf-8")
    assert result.stdout.str().count("report: ") == 1


@pytest.mark.parametrize(
    ("option", "file"),
    [("--twin-report=html", "twin-report/report.html"), ("--twin-report=md", "twin-report/summary.md"),
     ("--twin-report=json", "twin-report/run.json"), ("--twin-json=mine.json", "mine.json"),
     ("--twin-report=json=mine.json", "mine.json")],
)  # fmt: skip
def test_a_file_of_somebody_else_is_refused_before_the_tests(pytester, option, file):
    path = pytester.path / file
    path.parent.mkdir(exist_ok=True)
    path.write_text("mine")
    pytester.makepyfile(TWO)
    result = pytester.runpytest("--twin", option)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = f"{path} exists and was not written by pytest-twin; remove it or choose another file"
    result.stderr.fnmatch_lines([f"ERROR: {option.partition('=')[0]}: {said}"])
    assert path.read_text() == "mine"


def test_a_report_of_an_earlier_run_is_replaced(pytester):
    pytester.makepyfile(TWO)
    for _ in range(2):
        pytester.runpytest("--twin", "--twin-report=md,json").stdout.no_fnmatch_line("*warning*")
