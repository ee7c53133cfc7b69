"""report.html as somebody uses it: sorted, searched, zoomed, pointed at, by mouse, keyboard and finger."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from made_runs import MadeRun, busy_run, run_of_two_hosts
from opened_page import NEEDS_A_BROWSER, Page, luminance, webdriver
from saved_runs import made, weighed

import pytest_twin
from pytest_twin.model.attempt_failure import AttemptFailure
from pytest_twin.report.formats import summary_of
from pytest_twin.report.html.page import page

pytestmark = NEEDS_A_BROWSER


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    path = tmp_path_factory.mktemp("busy") / "report.html"
    path.write_text(page(busy_run(path.parent).summary()), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def many(tmp_path_factory):
    path = tmp_path_factory.mktemp("many") / "report.html"
    made = MadeRun(path.parent).sampled(1000, interval=0.25, cpu_percent=lambda at: 20 + at % 60)
    for number in range(10_000):
        made.test(f"tests/test_{number // 100}.py::test_{number}", number / 10, number / 10 + 0.09,
                  "failed" if number % 500 == 7 else "passed")  # fmt: skip
    path.write_text(page(made.summary()), encoding="utf-8")
    return path


@pytest.fixture
def report(browser, busy):
    shown = Page(browser).open(busy)
    yield shown
    assert shown.troubles == []


def test_a_click_on_a_heading_sorts_and_another_turns_it_round(report):
    report.one("#tests-table th[data-by=duration] button").click()
    assert report.names == ["test_slow[1]", "test_broken", "test_quick"]
    report.one("#tests-table th[data-by=duration] button").click()
    assert report.names == ["test_quick", "test_broken", "test_slow[1]"]
    assert report.one("#tests-table th[data-by=duration]").get_attribute("aria-sort") == "ascending"


def test_a_search_finds_tests_by_name_and_by_load(report):
    report.one("#tests-search").send_keys("test_b BROKEN")
    assert report.names == ["test_broken"]
    report.one("#tests-search").clear()
    report.one("#tests-search").send_keys("cpu=75")
    assert report.names == ["test_slow[1]"]
    report.one("#tests-search").send_keys(" nothing such")
    assert report.one("#tests-told").text == "no test fits"


def test_only_what_failed_can_be_shown(report):
    report.choose("#tests-outcome", "bad")
    assert report.names == ["test_broken"]


def test_buttons_zoom_and_all_panels_have_one_axis(report):
    whole = report.view
    report.one("[data-zoom=in]").click()
    assert report.view[1] - report.view[0] == pytest.approx((whole[1] - whole[0]) / 2, rel=0.01)
    ranges = report.run(
        "const l = document.querySelector('#timeline-chart .plot')._fullLayout;"
        "return Object.keys(l).filter((name) => /^xaxis\\d*$/.test(name))"
    )
    assert ranges == ["xaxis"]
    report.one("[data-zoom=all]").click()
    assert report.view == whole


def test_a_drag_zooms_into_what_was_drawn_over_and_a_double_click_shows_all_again(report, eventually):
    whole, plot = report.view, report.one("#timeline-chart .plot")
    report.run("arguments[0].scrollIntoView()", plot)
    pointer = report.pointer().move_to_element_with_offset(plot, *report.chart_place(0.25, 150)).click_and_hold()
    pointer.move_to_element_with_offset(plot, *report.chart_place(0.4, 150))
    pointer.move_to_element_with_offset(plot, *report.chart_place(0.5, 150)).release().perform()
    long = whole[1] - whole[0]
    half = pytest.approx((whole[0] + long / 4, whole[0] + long / 2), abs=long / 30)
    eventually(lambda: report.view == half)

    def shows_all() -> bool:  # unless the machine stands still between the two clicks
        pointer = report.pointer().move_to_element_with_offset(plot, *report.chart_place(0.5, 150))
        pointer.double_click().perform()
        return report.view == whole

    eventually(shows_all)


def test_pointing_at_a_moment_tells_the_test_the_loads_and_the_figures(report):
    plot = report.one("#timeline-chart .plot")
    report.run("arguments[0].scrollIntoView()", plot)
    report.pointer().move_to_element_with_offset(plot, *report.chart_place(0.8, 150)).perform()
    told = report.one("#timeline-chart .readout").text
    assert "test_broken" in told
    assert "50MB/s" in told
    assert "tests 20.0" in told


def test_the_keyboard_moves_the_cursor_zooms_and_pans(report):
    keys = webdriver.Keys
    report.press("#timeline-chart", keys.ARROW_RIGHT)
    first = report.one("#timeline-chart .readout b").text
    report.press("#timeline-chart", keys.SHIFT + keys.ARROW_RIGHT + keys.SHIFT)
    assert report.one("#timeline-chart .readout b").text > first
    report.press("#timeline-chart", "+")
    zoomed = report.view
    report.press("#timeline-chart", keys.PAGE_UP)
    assert report.view[0] < zoomed[0]
    report.press("#timeline-chart", keys.HOME)
    assert report.view[0] == 0
    report.press("#timeline-chart", keys.ESCAPE)
    assert not report.one("#timeline-chart .readout").is_displayed()


def test_every_control_is_reached_and_worked_by_keyboard(report):
    report.press("#tests-table th[data-by=cpu] button", webdriver.Keys.ENTER)
    assert report.names[0] == "test_broken"
    reached = report.run(
        "return [...document.querySelectorAll('button, input, select, a, [tabindex]')]"
        ".filter((each) => each.tabIndex < 0 || !(each.textContent.trim() || each.ariaLabel)).length"
    )
    assert reached == 0


def test_a_test_of_the_table_is_shown_in_the_timeline_and_leads_to_its_part(report):
    report.one("#tests-search").send_keys("broken")
    report.one("#tests-table tbody td.c-show button").click()
    start, stop = report.view
    assert 3.5 < start < 4.0
    assert 5.5 < stop < 6.0
    target = report.one("#tests-table tbody a").get_attribute("href").partition("#")[2]
    assert "test_broken" in report.one(f"article#{target} h3").text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_background(browser, busy, scheme):
    report = Page(browser).open(busy, scheme=scheme)
    colours = report.run(
        "const of = (selector) => getComputedStyle(document.querySelector(selector)).color;"
        "const paper = getComputedStyle(document.body).backgroundColor;"
        "return [paper, of('h1'), of('.soft'), of('.badge.failed'), of('td a b')]"
    )
    paper, *inks = map(luminance, colours)
    assert (paper < 0.05) == (scheme == "dark")
    for ink in inks:
        assert (max(paper, ink) + 0.05) / (min(paper, ink) + 0.05) >= 4.5


def test_ten_thousand_tests_are_searched_sorted_and_turned_over(browser, many):
    report = Page(browser).open(many)
    assert report.one("#tests-told").text == "1–50 of 10,000 tests"  # noqa: RUF001
    assert report.names[:21] == [*(f"test_{500 * number + 7}" for number in range(20)), "test_0"]  # failures first
    report.one("#tests-table th[data-by=start] button").click()
    report.one("#tests-on").click()
    assert report.names[0] == "test_50"
    report.one("#tests-table th[data-by=start] button").click()
    assert report.names[0] == "test_9999"
    report.one("#tests-search").send_keys("test_99.py::test_991")
    assert report.names == [f"test_991{digit}" for digit in range(9, -1, -1)]
    report.one("#tests-search").clear()
    report.choose("#tests-outcome", "bad")
    assert report.one("#tests-told").text == "20 of 10,000 tests"
    starts = [float(name.removeprefix("test_")) for name in report.names]
    assert all(one > other for one, other in pairwise(starts))
    assert report.troubles == []


def test_a_zoom_finds_the_samples_that_the_whole_run_is_too_long_for(browser, many):
    report = Page(browser).open(many)
    drawn = (
        "return document.querySelector('#timeline-chart .plot')._fullData.filter((t) => t.yaxis === 'y2')[0].x.length"
    )
    for _ in range(7):
        report.one("[data-zoom=in]").click()
    start, stop = report.view
    assert report.run(drawn, report.one("#timeline-chart .plot")) == pytest.approx((stop - start) / 0.25, abs=4)


@pytest.fixture
def compared(browser, tmp_path):
    """The report of a run in which 14 of 30 tests take other times than before."""
    made(tmp_path / "a", {f"t.py::test_{number}": 0.1 for number in range(30)})
    times = {f"t.py::test_{number}": 0.1 if number < 16 else 0.2 + number / 100 for number in range(30)}
    made(tmp_path / "b", times, cpu="B")
    path = tmp_path / "report.html"
    path.write_text(page(summary_of(tmp_path / "b", weighed(tmp_path / "a", tmp_path / "b"))), encoding="utf-8")
    shown = Page(browser).open(path)
    yield shown
    assert shown.troubles == []


def test_a_comparison_is_sorted_by_mouse_and_keyboard_and_all_tests_together_stay_on_top(compared):
    def column(place):
        return [cell.text for cell in compared.all(f".compared tbody:last-of-type td:nth-child({place})")]

    heads = compared.all(".compared th button")
    assert [head.text for head in heads][:4] == ["Test", "Measure", "Before", "After"]
    ratios = column(5)
    assert ratios[0] == "x4.90"
    heads[3].click()
    assert column(4)[0] == "490.0 ms"
    compared.browser.switch_to.active_element.send_keys(webdriver.Keys.ENTER)
    assert column(4)[0] == "360.0 ms"
    assert compared.one(".compared th:nth-child(4)").get_attribute("aria-sort") == "ascending"
    heads[7].click()
    assert column(5) == ratios
    whole = compared.all(".compared tbody:first-of-type td:first-child")
    assert {cell.text for cell in whole} == {"all tests together"}


def test_on_a_phone_a_comparison_needs_no_sideways_scrolling(compared):
    compared.open(Path(compared.browser.current_url.removeprefix("file://")), 390, 800, is_phone=True)
    assert compared.run("return document.documentElement.scrollWidth") <= 390
    box = compared.one("#compared .scroll")
    assert compared.run("return arguments[0].scrollWidth <= arguments[0].clientWidth", box)
    compared.one(".compared th:nth-child(4) button").click()
    assert "490.0 ms" in compared.one(".compared tbody:last-of-type tr").text


def test_on_paper_a_comparison_is_as_wide_as_the_paper(compared):
    send = compared.browser.execute_cdp_cmd
    send("Emulation.setEmulatedMedia", {"media": "print"})
    send("Emulation.setDeviceMetricsOverride", {"width": 700, "height": 900, "deviceScaleFactor": 1, "mobile": False})
    assert compared.run("return document.querySelector('.compared').getBoundingClientRect().right") <= 700
    assert compared.one(".compared th button").is_displayed()
    send("Emulation.setEmulatedMedia", {"media": ""})


@pytest.mark.parametrize("is_phone", [True, False])
def test_a_long_name_of_a_lane_has_room_or_an_ellipsis(browser, tmp_path, is_phone):
    made = MadeRun(tmp_path).sampled(3).load("cache-of-the-cpu", "max", 0, 1).load("x" * 30, "1", 1, 2)
    path = tmp_path / "report.html"
    path.write_text(page(made.summary()), encoding="utf-8")
    report = Page(browser).open(path, 390 if is_phone else 1280, is_phone=is_phone)
    names = report.all("#timeline-chart .ytick text")
    assert [name.text for name in names][:2] == ["cache-of-the-cpu", "x" * 17 + "…"]
    left = report.one("#timeline-chart .plot").rect["x"]
    assert all(name.rect["x"] >= left for name in names)


@pytest.fixture
def two_hosts(browser, tmp_path):
    """The report of a run of two hosts."""
    path = tmp_path / "report.html"
    path.write_text(page(run_of_two_hosts(tmp_path).summary()), encoding="utf-8")
    shown = Page(browser).open(path)
    yield shown
    assert shown.troubles == []


CHARTS = ["#timeline-chart", "#timeline-chart-2"]


def test_the_charts_of_all_hosts_are_zoomed_together_and_have_their_times_below_each_other(two_hosts):
    def views():
        return [[two_hosts.one(chart).get_attribute(f"data-{side}") for side in ("from", "to")] for chart in CHARTS]

    two_hosts.one("[data-zoom=in]").click()
    assert views()[0] == views()[1] != ["0.000", "5.900"]
    two_hosts.press("#timeline-chart-2", webdriver.Keys.HOME)
    assert views() == [["0.000", "5.900"]] * 2
    lefts = [two_hosts.one(f"{chart} .cartesianlayer .bg, {chart} .bglayer .bg").rect["x"] for chart in CHARTS]
    assert lefts[0] == lefts[1]


def test_pointing_at_a_host_tells_of_its_own_tests_and_samples_and_marks_the_moment_in_all(two_hosts):
    box = two_hosts.one("#timeline-chart-2 .plot")
    two_hosts.run("arguments[0].scrollIntoView({ block: 'center' })", box)
    middle = round(84 + 0.3 * (box.rect["width"] - 98) - box.rect["width"] / 2)
    two_hosts.pointer().move_to_element_with_offset(box, middle, 0).perform()
    told = two_hosts.one("#timeline-chart-2 .readout").text
    assert "test_both passed, 3.00 s" in told.replace("\n", " ")
    assert "tests 60.0" in told
    assert "test_here" not in told
    assert not two_hosts.one("#timeline-chart .readout").is_displayed()
    assert all(two_hosts.one(f"{chart} .cursor").is_displayed() for chart in CHARTS)


def test_a_test_of_another_host_is_shown_in_the_chart_of_that_host(two_hosts):
    two_hosts.one("#tests-search").send_keys("far both")
    assert two_hosts.names == ["test_both"]
    two_hosts.one("#tests-table tbody td.c-show button").click()
    assert two_hosts.run("return document.activeElement.id") == "timeline-chart-2"
    assert "tests 60.0" in two_hosts.one("#timeline-chart-2 .readout").text
    two_hosts.one("#tests-search").clear()
    two_hosts.one("#tests-table th[data-by=on] button").click()
    assert two_hosts.names == ["test_both", "test_there", "test_here", "test_both"]
    two_hosts.press("article [data-show]", webdriver.Keys.ENTER)
    assert two_hosts.run("return document.activeElement.id") == "timeline-chart-2"


def test_on_a_phone_two_hosts_are_no_wider_than_the_screen(two_hosts):
    two_hosts.open(Path(two_hosts.browser.current_url.removeprefix("file://")), 360, 800, is_phone=True)
    assert two_hosts.run("return document.documentElement.scrollWidth") <= 360
    assert two_hosts.one("#tests-table tbody td[data-label='Host']").text == "far"  # of the failure


def test_a_button_copies_the_command_that_runs_a_failed_test_again(browser, tmp_path):
    made = MadeRun(tmp_path).sampled(3).test("t.py::test_a", 0, 2, "failed")
    failure = AttemptFailure("t.py::test_a", command="pytest t.py::test_a --twin", stress="cpu=2")
    (tmp_path / "failures.jsonl").write_text(failure.line, encoding="ascii")
    path = tmp_path / "report.html"
    path.write_text(page(made.summary()), encoding="utf-8")
    browser.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardReadWrite"]})
    report = Page(browser).open(path)
    report.one("[data-copy]").click()
    copied = browser.execute_async_script("navigator.clipboard.readText().then(arguments[0], arguments[0])")
    assert copied == "pytest t.py::test_a --twin --twin-stress cpu=2"
    assert report.one("[data-copy]").text == "Copied"


def test_the_runs_of_a_test_are_one_row_with_their_number_their_median_and_a_bar_for_each(browser, tmp_path):
    made = MadeRun(tmp_path).sampled(8)
    for number, seconds in enumerate((0.5, 1.0, 2.0), 1):
        made.test(
            "t.py::test_a", 2 * number, 2 * number + seconds, "failed" if number == 2 else "passed", attempt=number
        )
    path = tmp_path / "report.html"
    path.write_text(page(made.test("t.py::test_b", 0, 1, cpu_user_s=9.0).summary()), encoding="utf-8")
    report = Page(browser).open(path)
    assert report.one("#tests-told").text == "2 tests (4 runs)"
    assert [row.text.split("\n")[1:3] for row in report.all("#tests-table tbody td.c-nodeid")] == [
        ["test_a", "3 runs, 1 failed"],
        ["test_b"],
    ]
    assert report.one("#tests-table tbody td.c-duration").text == "1.00 s"
    bars = report.all("#tests-table tbody tr:first-child .spark path")
    assert [bar.get_attribute("d").count("M") for bar in bars] == [2, 1]
    report.choose("#tests-outcome", "passed")
    assert report.names == ["test_a", "test_b"]
    assert report.troubles == []


def test_nothing_is_drawn_where_values_are_missing(browser, tmp_path):
    made = MadeRun(tmp_path).sampled(5, ram_used_percent=lambda at: "" if 1 < at < 4 else 50)
    path = tmp_path / "report.html"
    path.write_text(page(made.summary()), encoding="utf-8")
    report = Page(browser).open(path)
    filled = """
    const traces = document.querySelector('#timeline-chart .plot')._fullData;
    const filled = traces.find((trace) => trace.fill === "tozeroy" && trace.yaxis === "y3");
    return filled.y.filter((value) => value === 0).length;
    """
    assert report.run(filled) == 4  # an outline begins and ends there, before the gap and after it


def test_shares_are_drawn_up_to_the_machine_and_a_button_fits_them_to_their_values(report):
    top = "return document.querySelector('#timeline-chart .plot')._fullLayout.yaxis3.range[1]"  # of the memory
    assert report.run(top) == 100
    report.one("[data-fit]").click()
    assert report.run(top) == pytest.approx(35.9 * 1.1)
    assert report.one("[data-fit]").get_attribute("aria-pressed") == "true"


def test_a_copied_command_runs_the_test_again_under_the_same_conditions(browser, pytester):
    pytester.makepyfile(
        test_it="""
        import pytest

        @pytest.mark.parametrize("name", ["a 'b' $HOME `id`"])
        def test_bad(name): assert 0

        def test_good(): pass
        """
    )
    pytester.runpytest_subprocess("--twin-stress=cpu=1 mem=8MiB", "--twin-report=html")
    folder = pytester.path / "twin-report"
    browser.execute_cdp_cmd("Browser.grantPermissions", {"permissions": ["clipboardReadWrite"]})
    Page(browser).open(folder / "report.html").one("[data-copy]").click()
    copied = browser.execute_async_script("navigator.clipboard.readText().then(arguments[0], arguments[0])")
    shutil.rmtree(folder)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    subprocess.run(["sh", "-c", copied], cwd=pytester.path, env={**os.environ, "PATH": path}, check=False)
    (test,) = pytest_twin.load(folder).tests.itertuples()
    assert (test.nodeid, test.outcome) == ("test_it.py::test_bad[a 'b' $HOME `id`]", "failed")
    assert test.load == "cpu=1 mem=8MiB"
