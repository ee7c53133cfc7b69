"""report.html on a phone and on paper: nothing is cut off, and no part of it scrolls sideways."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest
from made_profiles import profile_rows, profile_text
from made_recordings import of_frame, server
from made_runs import MadeRun, busy_run
from opened_page import NEEDS_A_BROWSER, Page, luminance

from pytest_twin.analysis.fidelity.scorecard import compare_recordings
from pytest_twin.analysis.run.distributions import MAIN
from pytest_twin.model import flaky_row
from pytest_twin.model.csv_text import header, record
from pytest_twin.report.formats import summary_of
from pytest_twin.report.html.page import page

pytestmark = NEEDS_A_BROWSER

TOO_WIDE = """
const parts = [...document.querySelectorAll(".scroll, table, tr, pre, p, article, dl, figure")];
return parts.filter((part) => part.scrollWidth > part.clientWidth + 1).map((part) => part.outerHTML.slice(0, 120));
"""
COMMAND = 'pytest "tests/test_a.py::test_slow[1]" --twin-constrain cpu=0.25 --twin-repeat 10'


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """The report of a run with a search for flaky tests, a profile, loads that came short, and a replay."""
    pytest.importorskip("scipy")
    folder = tmp_path_factory.mktemp("busy")
    made = busy_run(folder)
    made.test("tests/test_b.py::test_costs", 5.5, 5.9, "failed", budget="cpu_seconds 3.2 s > 2 s; duration 4.1 s > 1 s")
    made.write()
    (folder / "profile.csv").write_text(
        profile_text(profile_rows(cpu=(1, 1, 2, 3, 14), disk=(1, 1, 1, 1, 1), quota=(1, 2, 3, 4, 25)))
    )
    known = dict.fromkeys(flaky_row.FIELDS, "") | {
        "nodeid": "tests/test_a.py::test_slow[1]", "verdict": flaky_row.BREAKS, "runs": "10", "duration_s": "12.5",
        "failure_rate_low": "0.444", "failure_rate_high": "1", "cpu_s": "0.1", "throttled_s": "11.25",
    }  # fmt: skip
    worst = {"condition": "cpu=100% constrain cpu=0.25", "failures": "8", "is_decisive": "1", "command": COMMAND}
    rows = [known | {"condition": "idle", "failures": "0"}, known | worst]
    (folder / "flaky.csv").write_text(
        header(flaky_row.FIELDS) + "".join(record([row[name] for name in flaky_row.FIELDS]) for row in rows)
    )
    frame = server().frame
    frame = frame.assign(net_sent=1e7 * frame["cpu"], net_received=2e7 * frame["cpu"])
    card = compare_recordings(("server", "run"), of_frame(frame), of_frame(0.5 * frame))
    path = folder / "report.html"
    path.write_text(page(replace(summary_of(folder), fidelity=card)), encoding="utf-8")
    return path


def test_on_a_phone_no_part_scrolls_sideways(browser, busy):
    report = Page(browser).open(busy, 390, 800, is_phone=True)
    assert report.run("return document.documentElement.scrollWidth") <= 390
    assert report.run(TOO_WIDE) == []


@pytest.mark.parametrize("name", ["loads", "budgets", "flaky", "fidelity"])
def test_on_a_phone_the_rows_of_a_table_are_blocks_and_each_value_has_its_name(browser, busy, name):
    report = Page(browser).open(busy, 390, 800, is_phone=True)
    table = f"#{name} table"
    heads = [head.get_attribute("textContent") for head in report.all(f"{table} thead th")]
    assert heads
    assert not any(0 <= head.rect["x"] < 390 for head in report.all(f"{table} thead th"))
    names = report.run(
        "return [...document.querySelectorAll(arguments[0])]"
        ".map((cell) => getComputedStyle(cell, '::before').content.slice(1, -2))",
        f"{table} tbody tr:first-child td",
    )
    assert names == heads[1:]


def test_on_paper_nothing_is_cut_off(browser, busy):
    report = Page(browser).open(busy, width=700)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "print"})
    report.run("dispatchEvent(new Event('beforeprint'))")
    wide, cut = report.run("return document.documentElement.scrollWidth"), report.run(TOO_WIDE)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": ""})
    assert wide <= 700
    assert cut == []


@pytest.mark.parametrize("width", [320, 390])
def test_on_a_phone_nothing_is_wider_than_the_screen(browser, busy, width):
    report = Page(browser).open(busy, width, 800, is_phone=True)
    assert report.run("return document.documentElement.scrollWidth") <= width
    assert report.one("#tests-sort").is_displayed()
    assert report.one("#tests-table tbody td[data-label='Duration']").is_displayed()
    assert report.troubles == []


@pytest.mark.parametrize(
    ("tests", "printed", "rest"), [(60, 60, ""), (310, 300, "The first 300 of 310 tests. All are in tests.csv.")]
)
def test_on_paper_the_table_is_one_long_page(browser, tmp_path, tests, printed, rest):
    made = MadeRun(tmp_path).sampled(tests // 10 + 1)
    for number in range(tests):
        made.test(f"t.py::test_{number}", number / 10, number / 10 + 0.1)
    path = tmp_path / "report.html"
    path.write_text(page(made.summary()), encoding="utf-8")
    report = Page(browser).open(path)
    report.one("#tests-on").click()
    rows = "return document.querySelectorAll('#tests-table tbody tr').length"
    there = report.run(rows)
    assert there == min(50, tests - 50)
    assert not report.one("#tests-rest").is_displayed()
    report.run("dispatchEvent(new Event('beforeprint'))")
    assert report.run(rows) == printed
    assert report.run("return document.getElementById('tests-rest').textContent") == rest
    report.run("dispatchEvent(new Event('afterprint'))")
    assert report.run(rows) == there


@pytest.mark.parametrize("width", [320, 390])
def test_on_a_phone_a_figure_and_its_unit_are_on_one_line(browser, tmp_path, width):
    grown = {"memory_growth_MB": 133.4, "memory_kept_MB": 133.4}
    made = MadeRun(tmp_path).sampled(3).test("t.py::test_grows", 0, 2, **grown)
    path = tmp_path / "report.html"
    path.write_text(page(made.summary()), encoding="utf-8")
    report = Page(browser).open(path, width, 800, is_phone=True)
    figures = report.run(
        "const lines = (cell) => { const range = new Range(); range.selectNodeContents(cell);"
        "  return new Set([...range.getClientRects()].map((each) => each.top)).size; };"
        "return [...document.querySelectorAll('#tests-table td.number')].map((cell) => [cell.textContent, lines(cell)])"
    )
    assert ["+133\u00a0MiB", 1] in figures
    assert [text for text, lines in figures if lines > 1] == []


def test_on_paper_the_timeline_is_light_and_as_wide_as_the_paper(browser, busy):
    report = Page(browser).open(busy, scheme="dark")
    report.run("dispatchEvent(new Event('beforeprint'))")
    assert report.run("return document.querySelector('#timeline-chart .main-svg').clientWidth") == 690
    assert luminance(report.run("return getComputedStyle(document.querySelector('h1')).color")) < 0.05
    report.run("dispatchEvent(new Event('afterprint'))")
    assert luminance(report.run("return getComputedStyle(document.querySelector('h1')).color")) > 0.5


@pytest.mark.parametrize(("width", "is_phone"), [(1400, False), (390, True)])
def test_the_correlations_fit_the_screen(browser, tmp_path, width, is_phone):
    drawn = {name: Random(name) for name in MAIN}
    made = MadeRun(tmp_path).sampled(
        20, **{name: lambda at, own=own: own.randrange(100) for name, own in drawn.items()}
    )
    path = tmp_path / "report.html"
    path.write_text(page(made.summary()), encoding="utf-8")
    report = Page(browser).open(path, width, is_phone=is_phone)
    assert len(report.all(".heat tbody tr")) == len(MAIN)
    cells = "return [...document.querySelectorAll('.heat td')].filter((td) => td.scrollWidth > td.clientWidth).length"
    assert report.run(TOO_WIDE) == []
    assert report.run(cells) == 0
