"""report.html, as text; how it behaves in a browser is tested beside this."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import sys
from html import unescape

import numpy as np
import pytest
from made_runs import MadeRun, busy_run, leaky_run, run_of_two_hosts, stamp
from markupsafe import escape
from saved_runs import made, weighed

from pytest_twin.model.attempt_failure import AttemptFailure
from pytest_twin.report import formats
from pytest_twin.report.formats import summary_of
from pytest_twin.report.html.page import page

CELL = r"<td[^>]*>([^<]*)</td>"
ROW = rf'<tr class="\w+"><td><span[^>]*>([^<]*)</span></td>{CELL * 4}<td[^>]*></td><td[^>]*></td>{CELL}</tr>'
HOSTILE = "</script><script>alert(1)</script>\"'&<b>"


def parts(text):
    """The ids of the parts that the navigation leads to."""
    return re.findall(r'<li><a href="#([\w-]+)">', text.partition("<nav ")[2])


def data_of(text):
    return json.loads(re.search(r'<script type="application/json" id="twin-data">(.*?)</script>', text, re.DOTALL)[1])


@pytest.fixture(scope="module")
def busy(tmp_path_factory):
    """The page of a run with a failed test, and loads."""
    return page(busy_run(tmp_path_factory.mktemp("busy")).summary())


def test_the_page_has_all_its_parts_and_says_first_what_went_wrong(busy):
    assert parts(busy) == ["failures", "timeline", "tests", "marked", "loads", "spread", "machine", "missing"]
    assert '<h1><a href="#failures">1 failed, 2 passed</a></h1>' in busy
    assert all(f'<section id="{name}"' in busy for name in parts(busy))


def tiles(text):
    """The tiles on top, by their names: the figure, and the note below it."""
    whole = text.replace("<wbr>", "")
    found = re.findall(r"<dt>([^<]*)</dt><dd>([^<]*)</dd><div class=\"note\">([^<]*)</div>", whole)
    return {name: (value, note) for name, value, note in found}


def test_the_tiles_name_the_test_that_added_memory_and_left_it_behind_and_no_innocent_one(tmp_path):
    text = page(leaky_run(tmp_path).summary())
    found = tiles(text)
    assert found["Most memory growth"] == found["Kept memory"] == ("+60.0 MiB", "test_leak")
    assert "Test peak memory" not in found
    assert (data_of(text)["tests"]["memory"], data_of(text)["tests"]["kept"]) == ([0.25, 60.0, 1.0], [0.0, 60.0, 0.0])
    assert 'data-column="memory"' in text
    assert 'data-column="kept"' in text
    assert 'data-column="peak"' not in text


def test_of_an_old_run_that_does_not_tell_what_tests_added_the_peak_is_told(busy):
    assert tiles(busy)["Test peak memory"] == ("300 MiB", "test_slow[1]")
    assert 'data-column="peak"' in busy
    assert 'data-column="memory"' not in busy


def test_the_page_needs_nothing_from_elsewhere(busy):
    own = re.sub(r"<script>.*?</script>", "", busy, flags=re.DOTALL)
    assert not re.search(r"""(src|href)=["'](?!#)|@import|url\(""", own)
    assert "default-src 'none'" in unescape(own)


def test_its_policy_lets_its_own_scripts_run_and_no_others(busy):
    scripts = re.findall(r"<script>(.*?)</script>", busy, re.DOTALL)
    policy = unescape(re.search(r'Content-Security-Policy" content="([^"]*)"', busy)[1])
    hashes = {base64.b64encode(hashlib.sha256(script.encode()).digest()).decode() for script in scripts}
    assert set(re.findall(r"sha256-([^']+)", policy)) == hashes
    assert "'unsafe-inline'" not in policy.partition("style-src")[0]


def test_nothing_that_a_test_is_called_becomes_part_of_the_page(tmp_path):
    made = MadeRun(tmp_path).sampled(3).test(f"t.py::test_a[{HOSTILE}]", 0, 2, "failed", load=HOSTILE, worker=HOSTILE)
    made.load(HOSTILE, HOSTILE, 0, 1, HOSTILE, "abort", reason=HOSTILE)
    text = page(made.happened(1, "note", "note", detail=HOSTILE).summary())
    assert "<script>alert" not in text
    assert len(re.findall("</script>", text)) == 3  # plotly, ours, and the data
    assert data_of(text)["tests"]["nodeid"][0].startswith("t.py::test_a[</script>")


def test_a_failed_and_a_marked_test_have_a_part_with_what_happened_then(busy):
    assert re.findall(r'<article id="test-\d"><div class="top"><span class="badge (\w+)">', busy) == [
        "failed",
        "passed",
    ]
    assert "<b>disk=50MB/s</b>, from +100 ms to +1.40 s, achieved 10.0MB/s" in busy
    assert "aborted: starved: achieved 20 % of the request" in busy
    assert "<li>+500 ms half way</li>" in busy


def test_the_curves_and_the_events_of_a_test_count_from_its_start(tmp_path):
    made = MadeRun(tmp_path).sampled(40).test("t.py::test_late", 30, 32, folder="tests/late")
    text = page(made.load("cpu", "2", 30.5, 31.5, "2 cores").summary())
    assert "Times of curves and events count from the start of the test." in text
    assert '<div class="axis"><span>-200 ms</span><span>+2.20 s</span></div>' in text
    assert "<b>cpu=2</b>, from +500 ms to +1.50 s" in text
    assert "<dt>began</dt><dd>+30.0 s of the run</dd>" in text


def test_a_load_that_ended_in_its_ramp_says_so_in_the_timeline_and_beside_its_test(tmp_path):
    figures = {"full_s": 0.0, "mean_resident_bytes": 99, "asked_mean_resident_bytes": 100}
    made = MadeRun(tmp_path).sampled(40).test("t.py::test_ramp", 1, 3, folder="tests/ramp")
    text = page(made.load("memory", "512MiB", 1.5, 2.5, "321.0MiB", **figures).summary())
    (host,) = data_of(text)["timeline"]["hosts"]
    assert [band["label"] for band in host["bands"]] == ["mem=512MiB, achieved 321.0MiB (99 % of its ramp)"]
    assert "to +1.50 s, achieved 321.0MiB (99 % of its ramp)" in text


def test_loads_tell_asked_and_achieved_and_a_meter_shows_the_worst(busy):
    assert 'aria-label="100%"><i style="width:100%' in busy
    assert '<span class="meter short" role="img" aria-label="20%"><i style="width:20%">' in busy


@pytest.mark.parametrize(
    ("achieved", "said"),
    [("74.8%", "all as requested"), ("21.3%", "1 of 1 request with problems"), ("", "achieved amounts unknown")],
)
def test_the_figures_on_top_tell_whether_loads_were_as_asked(tmp_path, achieved, said):
    made = MadeRun(tmp_path).sampled(3).load("cpu", "75%", 0, 0.4, achieved)
    assert f'<dt>Loads</dt><dd>1</dd><div class="note">{said}</div>' in page(made.summary())


@pytest.mark.parametrize(("samples", "said"), [(2, ""), (10, "every 0.1 s")])
def test_two_samples_do_not_tell_how_often_the_run_was_sampled(tmp_path, samples, said):
    text = page(MadeRun(tmp_path).sampled(samples / 10).summary())
    assert re.search(rf"<dt>Samples</dt><dd>{samples}</dd>(?:<div class=\"note\">)?([^<]*)<", text)[1] == said


def test_of_very_many_failed_tests_the_first_get_a_part(tmp_path):
    made = MadeRun(tmp_path).sampled(10)
    for number in range(70):
        made.test(f"t.py::test_{number}", number / 10, number / 10 + 0.1, "failed")
    text = page(made.summary())
    assert text.count("<article ") == 60
    assert "… and 10 more tests in the table of tests and in tests.csv" in text


def test_budgets_have_a_part_and_a_column_where_tests_have_some(tmp_path, busy):
    made = MadeRun(tmp_path).sampled(2).test("t.py::test_a", 0, 1, budget="ok")
    text = page(made.test("t.py::test_b", 1, 2, "failed", budget="cpu_seconds 3.2 s > 2 s").summary())
    assert "1 of 2 tests with a budget is within it." in text
    assert ">cpu_seconds 3.2 s &gt; 2 s</td>" in text
    assert 'data-column="budget"' in text
    assert 'data-column="budget"' not in busy


PROFILE = """nodeid,resource,level_percent,slowdown,slowdown_low,slowdown_high,knee_percent,rank
t.py::test_<a>,disk,0,1.01,0.98,1.03,,
t.py::test_<a>,disk,100,,,,,
t.py::test_<a>,cpu,0,1.00,0.99,1.02,50,1
t.py::test_<a>,cpu,100,4.00,3.50,4.60,50,1
"""


def test_a_profile_is_a_plot_and_a_table_the_worst_load_first(tmp_path, busy):
    (tmp_path / "profile.csv").write_text(PROFILE)
    text = page(MadeRun(tmp_path).sampled(2).summary())
    assert "curves" in parts(text)
    table = text.partition('<section id="curves"')[2]
    assert re.findall(r'<th scope="row">(\w+)</th>', table.partition("</section>")[0]) == ["cpu", "disk"]
    assert '<td class="number">4.00</td><td class="number">50 %</td>' in table
    assert '<path class="curve l-stress" d="M0,100.0L1000,11.8M0,100.0V99.4M996,26.5V0.0"/>' in table
    assert "test_<a>" not in table
    assert "curves" not in parts(busy)


def test_failures_are_crosses_on_the_curves_and_a_quota_has_a_plot_of_its_own(tmp_path):
    (
        tmp_path / "profile.csv"
    ).write_text("""nodeid,resource,level_percent,slowdown,knee_percent,rank,runs,failures,error
t.py::test_a,cpu,0,1.00,100,1,12,0,
t.py::test_a,cpu,50,1.50,100,1,6,1,<late>
t.py::test_a,cpu,100,,100,1,5,5,<late>
t.py::test_a,quota,100,1.00,50,,12,0,
t.py::test_a,quota,50,2.00,50,,6,0,
t.py::test_a,quota,10,4.00,50,,6,0,
""")
    curves = (
        page(MadeRun(tmp_path).sampled(2).summary()).partition('<section id="curves"')[2].partition("</section>")[0]
    )
    assert curves.count("<svg") == 2
    assert '<path class="curve fails" d="M494,47.0l12,6m0,-6l-12,6M988,-3.0l12,6m0,-6l-12,6"/>' in curves
    assert '<path class="curve l-stress" d="M0,100.0L500,70.6L900,11.8"/>' in curves  # less CPU time is to the right
    assert '1.50?<br><b class="badge failed">1 of 6 failed</b>' in curves
    assert '<b class="badge failed">fails 5 of 5 under cpu=100%</b> &lt;late&gt;' in curves


def test_a_profile_of_several_hosts_has_a_plot_for_each(tmp_path):
    heading, *lines = PROFILE.splitlines()
    of_hosts = [f"{line},{host}" for host in ("linux", "mac") for line in lines]
    (tmp_path / "profile.csv").write_text("\n".join([f"{heading},host", *of_hosts, ""]))
    curves = (
        page(MadeRun(tmp_path).sampled(2).summary()).partition('<section id="curves"')[2].partition("</section>")[0]
    )
    assert re.findall(r" on (\w+)</b>", curves) == ["linux", "mac"]


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX pipes")
def test_a_pipe_in_the_place_of_a_profile_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "profile.csv")
    assert formats._rows(tmp_path, "profile.csv") == []


@pytest.mark.parametrize("text", ["", "\0\n\0", "nodeid\n,,,\n", 'level_percent,slowdown\nnan,inf\n"'])
def test_a_damaged_profile_does_not_break_the_page(tmp_path, text):
    (tmp_path / "profile.csv").write_text(text)
    assert "<h1>" in page(MadeRun(tmp_path).sampled(2).summary())


def test_a_run_that_is_not_whole_says_so_on_top(tmp_path, busy):
    text = page(MadeRun(tmp_path).test("t.py::test_a", 0, 1).summary())
    assert 'role="note"><p>Incomplete: system_metrics_dataset.csv is missing or empty</p>' in text
    assert "Incomplete: " not in busy


@pytest.mark.parametrize(
    ("made", "title"),
    [
        (lambda made: made.sampled(3), "A recording without tests"),
        (lambda made: made.load("cpu", "2", 0, 1), "Events without samples"),
        (lambda made: made.sampled(0.1), "A recording without tests"),
        (lambda made: made.sampled(1, cpu_percent="", tests_cpu_percent=""), "A recording without tests"),
    ],
)
def test_whatever_there_is_of_a_run_has_a_page(tmp_path, made, title):
    text = page(made(MadeRun(tmp_path)).summary())
    assert f"<h1>{title}</h1>" in text
    assert '<a class="skip" href="#timeline">Skip to the timeline</a>' in text  # there are no tests to skip to


def test_a_recording_without_events_is_whole(tmp_path, busy):
    assert "annotations.csv is missing" not in page(MadeRun(tmp_path).sampled(3).summary())
    assert '<a class="skip" href="#tests">Skip to the tests</a>' in busy


def test_what_stays_at_zero_is_named_and_not_drawn(tmp_path):
    text = page(MadeRun(tmp_path).sampled(3, disk_read_MB=0, disk_write_MB=0).summary())
    assert [panel["name"] for panel in data_of(text)["timeline"]["hosts"][0]["panels"]] == ["CPU"]
    assert "disk: 0 throughout" in text


@pytest.mark.slow
def test_a_run_of_any_length_is_drawn_from_a_bounded_number_of_points(tmp_path):
    made = MadeRun(tmp_path).sampled(600, interval=0.01, cpu_percent=lambda at: 20 + at % 80)
    first, *_ = data_of(page(made.summary()))["timeline"]["hosts"][0]["panels"][0]["levels"]
    assert len(base64.b64decode(first["t"])) / 4 < 3000


def compared(tmp_path, cpu="A"):
    """The page of a run of which one test takes twice as much as before, and another half of it."""
    made(tmp_path / "a", {"t.py::test_<less>": 0.2, "t.py::test_more": 0.1, "t.py::test_same": 0.1})
    made(tmp_path / "b", {"t.py::test_<less>": 0.05, "t.py::test_more": 0.2, "t.py::test_same": 0.1}, cpu=cpu)
    return page(summary_of(tmp_path / "b", weighed(tmp_path / "a", tmp_path / "b", "cpu_seconds>10%")))


def test_a_run_that_was_compared_has_a_part_with_what_came_of_it_the_alarms_first(tmp_path, busy):
    text = compared(tmp_path)
    assert parts(text)[0:3] == ["timeline", "compared", "tests"]
    part = text.partition('<section id="compared"')[2].partition("</section>")[0]
    first = "before (1 run) -&gt; after (1 run), on the same machine"
    assert re.search(r"</h2><p[^>]*>(.*?)</p>", part)[1] == first
    rows = [(unescape(test), *cells) for test, *cells in re.findall(ROW, part)]
    assert rows[-4:] == [
        ("t.py::test_more", "cpu_seconds", "100.0 ms", "200.0 ms", "x2.00", "possibly more, over cpu_seconds&gt;10%"),
        ("t.py::test_more", "duration", "100.0 ms", "200.0 ms", "x2.00", "possibly more"),
        ("t.py::test_<less>", "cpu_seconds", "200.0 ms", "50.0 ms", "x0.25", "possibly less"),
        ("t.py::test_<less>", "duration", "200.0 ms", "50.0 ms", "x0.25", "possibly less"),
    ]
    threshold = '<li class="broken"><b>✗</b> <a href="#compared">'
    assert f"{threshold}Comparison with before: limit cpu_seconds&gt;10%: failed, 1 of 4 figures over it</a>" in text
    assert f"{threshold}cpu_seconds&gt;10%: t.py::test_more: " in text
    assert "compared" not in parts(busy)


def test_runs_of_different_machines_are_told_apart_by_more_than_small_print(tmp_path):
    assert '</h2><p class="notice">different machine: CPU A -&gt; B</p>' in compared(tmp_path, cpu="B")


def test_tests_that_ran_several_times_are_counted_once_and_their_attempts_told(tmp_path):
    made = MadeRun(tmp_path).sampled(3).test("t.py::test_a", 0, 1).test("t.py::test_b", 1, 2)
    text = page(made.test("t.py::test_b", 2, 3, attempt=2).summary())
    assert "<h1>2 tests in 3 attempts: 2 passed</h1>" in text
    assert ">2 tests in 3 attempts. CPU time" in text


@pytest.fixture(scope="module")
def two_hosts(tmp_path_factory):
    """The page of a run of two hosts."""
    return page(run_of_two_hosts(tmp_path_factory.mktemp("two")).summary())


def part(text, name):
    return text.partition(f'<section id="{name}"')[2].partition("</section>")[0]


def test_each_host_has_a_chart_of_its_own_samples_tests_and_loads_on_one_axis(two_hosts):
    assert re.findall("<h3>(.*?)</h3>", part(two_hosts, "timeline")) == ["pytest&#39;s host", "far"]
    data = data_of(two_hosts)
    here, far = data["timeline"]["hosts"]
    assert (here["name"], far["name"]) == ("pytest's host", "far")
    assert (here["lanes"], far["lanes"]) == (["gw0", "cpu"], ["failed", "gw1", "cpu"])
    assert [[band["label"] for band in host["bands"]] for host in (here, far)] == [
        ["cpu=2, achieved 2 cores"],
        ["cpu=2, achieved 1 cores"],
    ]
    assert [len(base64.b64decode(host["all"])) / 4 for host in (here, far)] == [60, 30]
    assert [host["panels"][1]["curves"][0]["top"] for host in (here, far)] == pytest.approx([30, 65.8])
    lanes = dict(zip(zip(data["tests"]["on"], data["tests"]["start"], strict=True), data["tests"]["lane"], strict=True))
    assert lanes == {("pytest's host", 0): 0, ("pytest's host", 2): 0, ("far", 0.5): 1, ("far", 3.5): 1}
    assert data["timeline"]["duration"] == pytest.approx(5.9)


def test_the_table_of_several_hosts_has_a_column_for_them_and_curves_of_each(two_hosts, busy):
    tests = data_of(two_hosts)["tests"]
    assert tests["on"] == ["pytest's host", "far", "pytest's host", "far"]
    assert 'data-column="on"' in two_hosts
    heights = [max(map(ord, curve)) for curve in tests["host"]]
    assert heights[1] > 1.2 * heights[0]
    assert 'data-column="on"' not in busy
    assert "on" not in data_of(busy)["tests"]


def test_a_test_that_ran_on_two_hosts_is_two_tests(two_hosts):
    assert '<h1><a href="#failures">1 failed, 3 passed</a></h1>' in two_hosts
    assert ">4 tests. CPU time" in two_hosts


def test_the_part_of_a_test_is_drawn_from_the_samples_of_its_host(tmp_path):
    made = MadeRun(tmp_path).sampled(4, cpu_percent=10, tests_cpu_percent="", stress_cpu_percent="")
    made.sampled(4, host="far", cpu_percent=90, tests_cpu_percent="", stress_cpu_percent="")
    made.test("t.py::test_a", 1, 2, "failed").test("t.py::test_b", 1, 2, "failed", host="far")
    articles = part(page(made.summary()), "failures").split("<article ")[1:]
    assert [re.search(r"CPU of the host, 0 to (\d+) %", article)[1] for article in articles] == ["25", "100"]
    assert [re.search(r'data-show="1.000 2.000 (\d)"', article)[1] for article in articles] == ["0", "1"]


def test_distributions_machines_and_loads_of_two_hosts_are_apart(two_hosts):
    for name in ("spread", "machine"):
        assert re.findall('<div class="host"><h3>(.*?)</h3>', part(two_hosts, name)) == ["pytest&#39;s host", "far"]
    assert re.findall(r"median ([\d.]+) %", part(two_hosts, "spread")) == ["43.0", "82.9", "62.9"]
    assert re.findall(r"<dd>(made up[^<]*)</dd>", part(two_hosts, "machine")) == ["made up", "made up far"]
    assert re.findall(r'data-label="Host">([^<]*)</td>', part(two_hosts, "loads")) == ["pytest&#39;s host", "far"]
    assert "<li>far: empty columns" in part(two_hosts, "missing")


def test_a_page_of_one_host_says_nothing_of_hosts(busy):
    own = re.sub(r"<(script|style)>.*?</(script|style)>", "", busy, flags=re.DOTALL)
    assert 'class="host"' not in own
    assert "pytest&#39;s host" not in own


def test_a_host_of_which_there_are_no_samples_has_a_place_all_the_same(tmp_path):
    made = MadeRun(tmp_path).sampled(2).test("t.py::test_a", 0, 1, host="lost")
    text = page(made.summary())
    assert "<h3>lost</h3>" in part(text, "timeline")
    assert '<p class="soft small">no samples</p>' in part(text, "timeline")
    assert "Incomplete: lost: no samples" in text


def test_a_host_that_ran_a_year_after_another_is_drawn_to_the_millisecond_too(tmp_path):
    made, year = MadeRun(tmp_path).sampled(2).sampled(2, host="late"), 365 * 86400
    for row in made.samples["late"]:
        at = year + float(row["elapsed_s"])
        row |= {"timestamp": stamp(at), "elapsed_s": f"{at:.4f}"}
    _, late = data_of(page(made.summary()))["timeline"]["hosts"]
    steps = np.frombuffer(base64.b64decode(late["all"]), "<u4")
    assert [late["since"] + int(steps[at]) for at in (0, 1, -1)] == [year * 1000 + at for at in (0, 100, 1900)]


def test_the_name_of_a_host_is_text_and_nothing_else(tmp_path):
    made = MadeRun(tmp_path).sampled(2).test("t.py::test_a", 0, 1, "failed", host=HOSTILE, budget=HOSTILE)
    text = page(made.load("cpu", "1", 0, 1, host=HOSTILE).summary())
    assert "<script>alert" not in text
    assert "<b>&lt;" not in text
    assert len(re.findall("</script>", text)) == 3


def failing_run(folder, **cells):
    """A run in which one test failed, and what pytest reported of it."""
    made = MadeRun(folder).sampled(3).test("t.py::test_a", 0, 2, "failed", **cells).test("t.py::test_b", 2, 3)
    (folder / "failures.jsonl").write_text(
        AttemptFailure(
            "t.py::test_a", phase="call", message=f"Error: {HOSTILE}", traceback=f"t.py:1: in test_a\n{HOSTILE}",
            output=HOSTILE, command="pytest t.py::test_a --twin", stress="cpu=2",
        ).line,
        encoding="ascii",
    )  # fmt: skip
    return made


def test_a_failure_has_its_error_what_stood_out_its_command_and_its_traceback(tmp_path):
    made = failing_run(tmp_path).load("disk", "10MB/s", 0.5, 1.5).load("memory", "1GiB", 2.5, 2.9)
    article = part(page(made.summary()), "failures")
    assert f'<p class="error">Error: {escape(HOSTILE)}</p>' in article
    assert "nothing unusual; machine 50 % busy" in article
    assert f"<pre>t.py:1: in test_a\n{escape(HOSTILE)}</pre>" in article
    command = 'pytest t.py::test_a --twin --twin-stress "cpu=2 disk=10MB/s"'
    assert f'data-copy="{escape(command)}">Copy</button> <code>{escape(command)}</code>' in article


def test_the_notice_on_top_leads_to_the_failures(tmp_path):
    text = page(failing_run(tmp_path).summary())
    top = text.partition('<nav aria-label="Parts of the report">')[0]
    assert f'<li><a href="#test-0">test_a</a> Error: {escape(HOSTILE)}</li>' in top
    assert '<article id="test-0">' in text


def test_a_test_that_failed_several_times_has_one_article_with_their_number(tmp_path):
    made = MadeRun(tmp_path).sampled(6)
    for number in range(1, 6):
        made.test("t.py::test_a", number - 1, number, "failed" if number % 2 else "passed", attempt=number)
    text = page(made.summary())
    assert part(text, "failures").count("<article ") == 1
    assert "<p>3 of 5 attempts failed</p>" in text
    assert data_of(text)["tests"]["detail"] == ["test-0", None, "test-0", None, "test-0"]


def test_kept_thresholds_are_on_top_too(tmp_path):
    text = page(MadeRun(tmp_path).sampled(2).test("t.py::test_a", 0, 1, budget="ok").summary())
    assert '<li class="kept"><b>✓</b> <a href="#budgets">Budgets: 1 of 1 test with a budget is within it.</a>' in text
    assert 'class="thresholds"' not in page(MadeRun(tmp_path / "none").sampled(2).summary())


def test_throttled_time_and_the_wait_for_cpus_have_columns_where_they_are_known(tmp_path, busy):
    made = MadeRun(tmp_path).sampled(6, pressure_cpu_percent=lambda at: 80 if at > 3 else 10)
    made.test("t.py::test_a", 0, 2.9, throttled_s=0.8).test("t.py::test_b", 3.1, 5.5).test("t.py::test_c", 5.5, 5.6)
    text = page(made.summary())
    tests = data_of(text)["tests"]
    assert (tests["throttled"], tests["pressure"]) == ([0.8, None, None], [10, 80, None])
    assert all(f'data-column="{name}"' in text for name in ("throttled", "pressure"))
    assert not any(f'data-column="{name}"' in busy for name in ("throttled", "waited", "pressure", "kept"))


def test_the_wait_of_a_test_itself_is_shown_in_place_of_the_pressure_of_its_host(tmp_path):
    made = MadeRun(tmp_path).sampled(6, pressure_cpu_percent=10)
    made.test("t.py::test_a", 0, 2.9, "failed", cpu_wait_s=1.25).test("t.py::test_b", 3.1, 5.5)
    text = page(made.summary())
    assert data_of(text)["tests"]["waited"] == [1.25, None]
    assert 'data-column="waited"' in text
    assert 'data-column="pressure"' not in text
    assert re.search(r"<dt>CPU wait</dt>\s*<dd[^>]*>1\.25 s</dd>", part(text, "failures"))


def test_repetitions_that_pytest_does_not_report_are_no_failures_of_the_run(tmp_path):
    made = MadeRun(tmp_path).sampled(3).test("t.py::test_a", 0, 1, "failed").test("t.py::test_a", 1, 2, attempt=2)
    text = page(made.summary())
    assert "failures" not in parts(text)
    assert "<h1>1 test in 2 attempts: 1 passed</h1>" in text


@pytest.mark.parametrize(("achieved", "said"), [("1.74 cores", "achieved 22 % of the request"), ("7.9 cores", "")])
def test_a_load_that_came_short_says_so_whatever_its_end(tmp_path, achieved, said):
    loads = part(page(MadeRun(tmp_path).sampled(3).load("cpu", "8", 0, 2, achieved).summary()), "loads")
    assert (f"<div>{said}</div>" in loads) == bool(said)
    assert ("of the request</div>" in loads) == bool(said)


def test_a_knee_that_too_few_repetitions_leave_open_is_not_known(tmp_path):
    head = "nodeid,resource,level_percent,slowdown,slowdown_low,slowdown_high,knee_percent,rank\n"
    sure, unsure = ("t.py::test_a,cpu,0,1,0.9,1.1,,", "t.py::test_a,cpu,50,1,,,,")
    for name, rows, said in (("a", [sure, sure], "none"), ("b", [sure, unsure], "not known")):
        MadeRun(tmp_path / name)
        (tmp_path / name / "profile.csv").write_text(head + "\n".join(rows) + "\n", encoding="utf-8")
        curves = part(page(MadeRun(tmp_path / name).sampled(2).summary()), "curves")
        assert f'<td class="number">{said}</td></tr>' in curves
