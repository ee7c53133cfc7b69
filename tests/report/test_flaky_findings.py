"""The findings of the search for resource-affected tests, in report.html and in summary.md."""

from __future__ import annotations

import json
import re

import pytest
from made_runs import MadeRun, busy_run

from pytest_twin.model import flaky_row
from pytest_twin.model.csv_text import record
from pytest_twin.report.flaky_findings import describe_findings, group_findings
from pytest_twin.report.flaky_terminal import finding_lines
from pytest_twin.report.formats import summary_of
from pytest_twin.report.html.page import page as html_page
from pytest_twin.report.markdown import page as markdown_page

WAITS, LUCK, SLOW = "t.py::test_waits", "t.py::test_luck", "t.py::test_slow"
COMMAND = f'pytest "{WAITS}" --twin-constrain cpu=0.25 --twin-repeat 10'


def row(nodeid, verdict, condition, runs, failures, **cells):
    known = {
        "nodeid": nodeid, "verdict": verdict, "condition": condition, "runs": str(runs), "failures": str(failures),
        "failure_rate_low": "0.444", "failure_rate_high": "0.975", "duration_s": "0.5", "duration_min_s": "0.2",
        "duration_max_s": "2", "cpu_s": "0.1", "throttled_s": "1.25",
    }  # fmt: skip
    return {**dict.fromkeys(flaky_row.FIELDS, ""), **known, **cells}


ROWS = [
    row(SLOW, flaky_row.HOLDS, "idle", 4, 0),
    row(SLOW, flaky_row.HOLDS, "constrain cpu=0.05", 12, 0, is_decisive="1", fails_below="0.22"),
    row(WAITS, flaky_row.BREAKS, "idle", 12, 0),
    row(WAITS, flaky_row.BREAKS, "constrain cpu=0.25", 10, 8, is_decisive="1", command=COMMAND, error="assert 3 <ok>"),
    row(LUCK, flaky_row.BY_CHANCE, "idle", 20, 4, is_decisive="1", error="assert luck"),
]
FAILURES = {WAITS: {"constrain cpu=0.25": "def test_waits():\n>   assert done.wait(3)\nE   assert 3 <ok>"}}


def write(folder, rows=ROWS, failures=FAILURES):
    lines = [record(tuple(each[name] for name in flaky_row.FIELDS)) for each in rows]
    (folder / "flaky.csv").write_text("".join([record(flaky_row.FIELDS), *lines]))
    (folder / "flaky_failures.json").write_text(json.dumps(failures))


@pytest.fixture
def summary(tmp_path):
    busy_run(tmp_path).write()
    write(tmp_path)
    return summary_of(tmp_path)


def test_the_tests_that_break_come_first_each_with_its_conclusion():
    findings = group_findings(ROWS)
    assert [each.nodeid for each in findings] == [WAITS, LUCK, SLOW]
    assert [each.conclusion for each in findings] == [
        "breaks under constrain cpu=0.25: failed 8 of 10, idle 0 of 12",
        "flaky by itself: failed 4 of 20 idle",
        "holds: fails less than 22 % under constrain cpu=0.05, with 95 % confidence",
    ]
    assert [each.command for each in findings] == [COMMAND, "", ""]


@pytest.mark.parametrize(
    ("runs", "failures", "conclusion"),
    [
        (3, 2, "failed 2 of 3 under constrain cpu=0.25, idle 0 of 4, too few for a verdict"),
        (2, 0, "failed under constrain cpu=0.25 beside other tests, 0 of 2 alone, idle 0 of 4"),
        (0, 0, "failed under constrain cpu=0.25 beside other tests, was not run alone, idle 0 of 4"),
    ],
)
def test_a_test_that_failed_too_rarely_for_a_verdict_has_its_error_and_its_command(
    runs, failures, conclusion, tmp_path, monkeypatch
):
    monkeypatch.setenv("COLUMNS", "300")
    condition = "constrain cpu=0.25"
    found = row(
        WAITS, flaky_row.NOT_KNOWN, condition, runs, failures, is_decisive="1", command=COMMAND, error="assert 3 <ok>"
    )
    rows = [row(WAITS, flaky_row.NOT_KNOWN, "idle", 4, 0), found]
    assert list(finding_lines(rows))[1:] == [f"{WAITS} not known: {conclusion}", "    assert 3 <ok>", f"    {COMMAND}"]
    busy_run(tmp_path).write()
    write(tmp_path, rows)
    text = html_page(summary_of(tmp_path))
    assert re.search(r"Run it more often: <button[^>]*>Copy</button> <code>pytest", text)
    assert "<summary>First failure: assert 3 &lt;ok&gt;</summary>" in text


def test_what_was_found_fits_80_columns_and_a_command_is_a_line_of_its_own():
    command = f'pytest "{WAITS}" {"--twin-stress cpu=2 " * 8}--twin-repeat 10'
    cells = {"is_decisive": "1", "command": command, "error": "assert " + "3 == 4 or " * 10}
    lines = list(finding_lines([row(WAITS, flaky_row.BREAKS, f"constrain cpu={'1' * 60}", 10, 8, **cells)]))
    assert [line for line in lines if len(line) > 80] == [f"    {command}"]


def test_a_test_that_never_failed_and_is_not_known_has_a_reason_and_no_command():
    rows = [row(SLOW, flaky_row.NOT_KNOWN, "idle", 1, 0, error="too few runs", command=COMMAND)]
    assert list(finding_lines(rows))[1:] == [f"{SLOW} not known: too few runs"]


def test_all_findings_are_one_sentence():
    said = describe_findings(group_findings(ROWS))
    assert said == "3 tests in 58 runs. Breaks: 1; flaky by itself: 1; holds: 1."


def test_the_page_has_the_command_the_traceback_and_the_waits(summary):
    text = html_page(summary)
    command = "pytest &#34;t.py::test_waits&#34; --twin-constrain cpu=0.25"
    assert re.search(rf'Reproduce it: <button[^>]* data-copy="{command}[^>]*>Copy</button> <code>{command}', text)
    assert "<summary>First failure: assert 3 &lt;ok&gt;</summary>" in text
    assert "&gt;   assert done.wait(3)" in text
    line = re.search(r'<tr class="chosen">(.*?)</tr>', text)[1]
    cells = dict(re.findall(r'data-label="([^"]*)">([^<]*)</td>', line.replace("\N{NO-BREAK SPACE}", " ")))
    assert (cells["Failed"], cells["95 % interval"], cells["Duration"]) == ("8 of 10", "44 % to 98 %", "500 ms")
    assert "<summary>Tests that hold (1)</summary>" in text
    assert text.index("<wbr>waits</b>") < text.index("<wbr>luck</b>")


@pytest.mark.parametrize(
    ("rows", "look"),
    [
        (ROWS, 'broken"><b>✗'),
        (ROWS[:2], 'kept"><b>✓'),
        ([*ROWS[:2], row("t.py::test_new", flaky_row.NOT_KNOWN, "idle", 1, 0)], 'unjudged"><b>–'),  # noqa: RUF001
    ],
    ids=["broken", "kept", "unjudged"],
)
def test_the_verdict_is_among_the_thresholds_on_top(tmp_path, rows, look):
    busy_run(tmp_path).write()
    write(tmp_path, rows)
    top = html_page(summary_of(tmp_path)).partition('<nav aria-label="Parts of the report">')[0]
    verdict = describe_findings(group_findings(rows))
    assert f'<li class="{look}</b> <a href="#flaky">Flaky tests: {verdict}</a></li>' in top
    breaks = f"{WAITS} breaks under constrain cpu=0.25: failed 8 of 10, idle 0 of 12"
    assert (f'<a href="#flaky">{breaks}</a>' in top) == ("broken" in look)


def test_the_summary_has_the_verdicts_and_the_commands(summary):
    text = markdown_page(summary)
    assert r"| t.py::test\_waits | breaks under constrain cpu=0.25: failed 8 of 10, idle 0 of 12 |" in text
    assert f"Reproduce them:\n\n    {COMMAND}\n" in text
    assert "    >   assert done.wait(3)\n" in text
    assert "test\\_slow" not in text.partition("### Flaky tests")[2].partition("###")[0]


def test_the_heading_says_that_it_was_a_search(tmp_path):
    MadeRun(tmp_path).sampled(2).write()
    write(tmp_path)
    assert "<h1>A search for flaky tests</h1>" in html_page(summary_of(tmp_path))


def test_without_a_search_there_is_no_section(tmp_path):
    found = busy_run(tmp_path).summary()
    assert "Flaky tests" not in markdown_page(found)
    assert 'id="flaky"' not in html_page(found)


@pytest.mark.parametrize("text", ["", "[1]", "{", '{"t": 1}', '{"t": {"c": 5}}', "\0"])
def test_damaged_failures_do_not_break_the_page(tmp_path, text):
    busy_run(tmp_path).write()
    write(tmp_path)
    (tmp_path / "flaky_failures.json").write_text(text)
    assert "Breaks under" in html_page(summary_of(tmp_path))


@pytest.mark.parametrize("text", ["nodeid\n", "nodeid,verdict\nt.py::test_a,nonsense\n", "x,y\n1,2\n"])
def test_a_damaged_table_does_not_break_the_page(tmp_path, text):
    busy_run(tmp_path).write()
    (tmp_path / "flaky.csv").write_text(text)
    found = summary_of(tmp_path)
    assert html_page(found)
    assert markdown_page(found)
