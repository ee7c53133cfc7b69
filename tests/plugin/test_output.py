"""What a run leaves and says: tables, summary, properties, hooks, and what it costs to have the plugin installed."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from itertools import pairwise

import pandas as pd
import psutil
import pytest
from inner_runs import WAITS

from pytest_twin.model.attempt_row import COLUMNS
from pytest_twin.telemetry import probes

LEGACY = (
    "timestamp,cpu_percent,cpu_count_logical,cpu_count_physical,ram_total_GB,ram_used_percent,ram_available_GB,"
    "swap_used_percent,disk_total_GB,disk_used_percent,disk_read_MB,disk_write_MB,net_sent_MB,net_recv_MB,"
    "battery_percent,battery_plugged,process_count"
)
BUSY = """
    import time, pytest

    def test_busy():
        end = time.process_time() + 0.3
        while time.process_time() < end: pass

    def test_idle(): time.sleep(0.3)

    @pytest.mark.stress(cpu=1)
    def test_stressed(): time.sleep(0.3)
"""


def test_the_dataset_opens_with_the_legacy_columns_in_their_order(pytester, left):
    pytester.makepyfile(BUSY)
    pytester.runpytest("--twin", "--twin-interval=0.05").assert_outcomes(passed=3)
    header = (left.folder / "system_metrics_dataset.csv").read_text().partition("\n")[0]
    assert header.startswith(f"{LEGACY},elapsed_s,")
    assert set(header.split(",")) == {
        "timestamp",
        "elapsed_s",
        *(c.name for c in probes.all_columns(probes.find_modules())),
    }


def test_an_analysis_written_for_the_legacy_dataset_opens_ours(pytester, left):
    pytester.makepyfile(BUSY)
    pytester.runpytest("--twin", "--twin-interval=0.05").assert_outcomes(passed=3)
    frame = pd.read_csv(left.folder / "system_metrics_dataset.csv", parse_dates=["timestamp"])[LEGACY.split(",")]
    per_second = frame.set_index("timestamp").resample("1s").mean(numeric_only=True)
    assert per_second["cpu_percent"].dropna().between(0, 100).all()  # the first row may be alone in its second
    assert frame["cpu_count_logical"].iloc[0] == psutil.cpu_count()
    assert frame["ram_total_GB"].iloc[0] == pytest.approx(psutil.virtual_memory().total / 2**30, abs=0.01)
    assert frame[["cpu_percent", "ram_used_percent"]].corr().shape == (2, 2)


SAMPLED = f"""{WAITS}
def test_busy():
    wait_for_samples(1)
    until = time.process_time() + 0.3
    while time.process_time() < until: pass
    wait_for_samples(1)

def test_idle(): wait_for_samples(5)

def test_stressed(stress_cpu):
    wait_for_samples(1)
    with stress_cpu(1) as load:
        wait_until(lambda: load.achieved["cpu_s"] > 0.3)
    wait_for_samples(1)
"""


def test_every_cpu_second_goes_to_the_tests_the_stressors_or_the_rest(pytester, left):
    pytester.makepyfile(SAMPLED)
    pytester.runpytest("--twin", "--twin-interval=0.05").assert_outcomes(passed=3)
    busy, idle, stressed = (
        [pair for pair in pairwise(left.samples) if all(began < float(row["elapsed_s"]) < ended for row in pair)]
        for began, ended in left.spans("test")
    )

    def cpu_s(pairs, name):
        spans = ((float(row["elapsed_s"]) - float(before["elapsed_s"]), float(row[name] or 0)) for before, row in pairs)
        return sum(seconds * percent / 100 for seconds, percent in spans)

    assert cpu_s(busy, "tests_cpu_percent") > 2 * cpu_s(idle, "tests_cpu_percent")
    assert cpu_s(stressed, "stress_cpu_percent") > cpu_s(stressed, "tests_cpu_percent")
    assert {row["stress_process_count"] for pairs in (busy, idle) for _, row in pairs} == {"1"}
    # that is the supervisor, which looks four times a second whether its owner is there
    assert cpu_s([*busy, *idle], "stress_cpu_percent") < 0.02 * cpu_s(busy, "tests_cpu_percent")
    assert max(int(row["stress_process_count"]) for _, row in stressed) == 2


def test_each_test_has_exact_figures(pytester, left):
    pytester.makepyfile("""
        import subprocess, sys, time

        def test_busy():
            end = time.process_time() + 0.2
            while time.process_time() < end: pass

        def test_big(): bytearray(200 << 20)

        def test_child():
            subprocess.run([sys.executable, "-S", "-c", "import time\\nwhile time.process_time() < 0.2: pass"])

        def test_nothing(): pass
    """)
    pytester.runpytest("--twin").assert_outcomes(passed=4)
    busy, big, child, nothing = left.tests
    assert list(busy) == [column.name for column in COLUMNS]
    used = [float(row["cpu_user_s"]) + float(row["cpu_system_s"]) for row in (busy, nothing)]
    assert 0.2 <= used[0] < 1
    assert 0.2 <= float(child["children_cpu_s"]) < 2
    assert float(nothing["children_cpu_s"]) == 0
    assert used[1] < used[0] <= float(busy["setup_s"]) + float(busy["call_s"]) + float(busy["teardown_s"]) + 0.1
    if sys.platform == "linux":
        assert float(big["peak_memory_MB"]) - float(nothing["peak_memory_MB"]) > 190


def test_the_summary_says_what_was_applied_and_heavy(pytester):
    pytester.makepyfile(BUSY)
    lines = pytester.runpytest_subprocess("--twin").outlines
    told = [line for line in lines if not re.match(r"    achieved \d+ % of the request$", line)]  # on a busy machine
    pytest.LineMatcher(told).re_match_lines(
        [
            r"=+ pytest-twin =+",
            r"\d+ samples(, \d+ missed)?, 3 tests",
            r"load         times      held  achieved",
            r"cpu=1            1 +\d+\.\d s  \d\.\d\d cores( \(see above\))?",
            r"heaviest tests: CPU time, memory growth, writes; with their share of all",
            r"  CPU +\d\.\d\d s +\d+ %  .*::test_busy",
            r"files: twin-report/",
            r"report: pytest-twin report twin-report",
            r"=+ 3 passed.*",
        ],
        consecutive=True,
    )


def test_every_line_fits_80_columns_but_ids_and_commands(pytester, monkeypatch):
    monkeypatch.delenv("COLUMNS")
    name = "test_of_the_checkout_of_returning_customers_" + "who_pay_" * 8
    pytester.makepyfile(
        test_it=f"""
        import time, pytest

        @pytest.mark.parametrize("size", ["small", "large"])
        @pytest.mark.stress(cpu=1)
        def {name}(size):
            end = time.process_time() + 0.2
            while time.process_time() < end: pass
            assert size == "small"
    """
    )
    options = ("--twin", "--twin-repeat=2", "--twin-report=html", "--twin-report-dir", "a/" + "long/" * 8 + "folder")
    lines = pytester.runpytest_subprocess(*options, "--twin-interval=0.05", "--disable-warnings").outlines
    ours = [line for line in lines[: lines.index("collected 2 items")] if line.startswith("twin: ")]
    at = next(place for place, line in enumerate(lines) if re.fullmatch("=+ pytest-twin =+", line))
    ours += [line for line in lines[at:] if not line.startswith(("FAILED", "ERROR"))]
    wide = [line for line in ours if len(line) > 80]
    assert {line.strip() for line in wide} <= {f"test_it.py::{name}[large]"}
    assert len([line for line in ours if "::" in line and "…" in line]) == 2
    assert "failed 2 of 2:" in ours


@pytest.mark.parametrize("hidden", [[], ["--disable-warnings"]])
def test_a_load_that_was_short_is_told_once_and_in_words(pytester, hidden):
    pytester.makepyfile("""
        import time, pytest

        @pytest.mark.stress(disk="9000GB/s")
        def test_it(): time.sleep(0.3)
    """)
    result = pytester.runpytest_subprocess("--twin", *hidden)
    short = r"starved: achieved 0 % of the request \([\d.]+ of \d+ MB moved\)"
    told = [line for line in result.outlines if "starved" in line]
    assert len(told) == 1
    result.stdout.re_match_lines(
        [r"disk=9000GB/s +1 +\d\.\d s  [\d.]+MB/s", f"    {short}"]
        if hidden
        else [rf".*TwinWarning: disk=9000GB/s: {short}", r"disk=9000GB/s +1 +\d\.\d s  [\d.]+MB/s \(see above\)"]
    )


def test_a_strict_load_of_a_schedule_that_failed_is_told_once(pytester):
    pytester.makepyfile("import time\ndef test_it(): time.sleep(0.5)")
    event = {"duration": "10s", "disk": "1MB/s", "directory": "/no/such/place", "strict": True}
    pytester.path.joinpath("plan.json").write_text(json.dumps({"events": [event]}))
    result = pytester.runpytest_subprocess("--twin-schedule=plan.json")
    assert len([line for line in result.outlines if "is not a directory" in line]) == 1
    result.stdout.re_match_lines(
        ["ERROR: disk=1MB/s strict: .* is not a directory", r"disk=1MB/s +1 +\d\.\d s  \(see above\)"]
    )


def test_a_report_that_was_made_is_named_last(pytester):
    pytester.makepyfile("def test_it(): pass")
    lines = pytester.runpytest("--twin", "--twin-report=html", "--twin-report-dir=a b").outlines
    assert lines[-2] == "report: a b/report.html"
    lines = pytester.runpytest("--twin", "--twin-report-dir=a b").outlines
    assert lines[-2] == 'report: pytest-twin report "a b"'


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc/self/statm")
def test_the_summary_names_the_test_that_left_memory_behind_and_no_innocent_one(pytester):
    pytester.makepyfile(
        test_it="""
        KEPT = []
        def test_before(): pass
        def test_leak(): KEPT.append(b"x" * (60 << 20))
        def test_innocent(): pass
        def test_moment(): b"x" * (30 << 20)
        """
    )
    lines = pytester.runpytest_subprocess("--twin").outlines
    at = lines.index("heaviest tests: CPU time, memory growth, writes; with their share of all")
    heavy = {line.split()[-1]: line.split()[-3] for line in lines[at + 1 :] if line.startswith("  growth")}
    assert float(heavy["test_it.py::test_leak"]) == pytest.approx(60, abs=2)
    assert float(heavy["test_it.py::test_moment"]) == pytest.approx(30, abs=2)
    assert len(heavy) == 2
    at = lines.index("kept memory, after all of their attempts")
    assert re.fullmatch(r" +\+6\d\.\d MiB +test_it\.py::test_leak", lines[at + 1])
    assert lines[at + 2].startswith("files: ")


def test_figures_reach_the_junit_report(pytester):
    pytester.makepyfile(BUSY)
    pytester.runpytest("--twin", "--junitxml=junit.xml")
    cases = {case.get("name"): case for case in ET.parse(pytester.path / "junit.xml").iter("testcase")}  # noqa: S314
    properties = {each.get("name"): each.get("value") for each in cases["test_stressed"].iter("property")}
    assert properties["twin_load"] == "cpu=1"
    assert {"twin_cpu_s", "twin_children_cpu_s"} <= properties.keys()
    busy = {each.get("name"): each.get("value") for each in cases["test_busy"].iter("property")}
    assert float(busy["twin_cpu_s"]) >= 0.3


def test_our_hook_is_called_with_each_event(pytester, left):
    pytester.makeconftest("""
        def pytest_twin_event(event, config):
            with open(config.rootpath / "heard.txt", "a") as file:
                print(event.event, event.type, file=file)
    """)
    pytester.makepyfile(BUSY)
    pytester.runpytest("--twin")
    heard = (pytester.path / "heard.txt").read_text().splitlines()
    assert sorted(heard) == sorted(f"{row['event']} {row['type']}" for row in left.events)


def test_a_test_id_with_anything_in_it_stays_one_record(pytester, left):
    pytester.makepyfile(r"""
        import pytest

        @pytest.mark.parametrize("x", [0, 1, 2, 3], ids=["../../x,y", "=cmd|' /C'", "a\nb", "x" * 5000])
        def test_it(x): pass
    """)
    pytester.runpytest("--twin", "--twin-per-test=all").assert_outcomes(passed=4)
    assert len(left.tests) == 4
    assert len(left.own_events) == 8
    folders = [row["folder"] for row in left.tests]
    assert len(set(folders)) == 4
    assert all((left.folder / folder / "annotations.csv").is_file() for folder in folders)
    lines = (left.folder / "tests.csv").read_text().splitlines()
    assert len(list(csv.reader(io.StringIO("\n".join(lines))))) == 5


def test_an_unused_plugin_starts_nothing_and_imports_nothing_heavy(pytester):
    pytester.makepyfile("""
        import sys, psutil, pytest

        @pytest.mark.stress
        def test_it():
            heavy = {"pandas", "rich", "click", "plotly", "numpy", "json.tool"}
            heavy |= {"pytest_twin.stressors", "pytest_twin.recording.recording"}
            assert heavy.isdisjoint(sys.modules)
            assert psutil.Process().children() == []
    """)
    result = pytester.runpytest_subprocess("-p", "no:xdist", "-p", "no:hypothesispytest")
    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("flags", [["-p", "no:twin"], ["--collect-only"], ["--setup-plan"], ["--fixtures"]])
def test_where_no_test_runs_nothing_is_recorded(pytester, flags):
    pytester.makepyfile(BUSY)
    pytester.runpytest(*flags, "--twin" if "no:twin" not in flags else "-q")
    assert not (pytester.path / "twin-report").exists()


def test_a_session_that_does_not_start_leaves_no_sampler(pytester):
    pytester.makepyfile("def test_it(): pass")
    pytester.makeconftest("""
        import pytest

        @pytest.hookimpl(trylast=True)
        def pytest_sessionstart(): raise pytest.UsageError("not today")
    """)
    result = pytester.runpytest_inprocess("--twin")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert not [each for each in psutil.Process().children() if any("sampler_main" in word for word in each.cmdline())]


@pytest.mark.skipif(sys.platform == "win32", reason="os.fork")
def test_a_fork_that_a_test_lets_go_on_does_not_end_the_recording(pytester, left):
    pytester.makepyfile("""
        import os, time

        def test_forks():
            pid = os.fork()
            if pid:
                os.waitpid(pid, 0)

        def test_after_it(): time.sleep(0.5)
    """)
    result = pytester.runpytest_subprocess("--twin", "--twin-interval=0.05")
    assert result.ret == 0
    assert {test["nodeid"].partition("::")[2] for test in left.tests} == {"test_forks", "test_after_it"}
    assert not [event for event in left.events if event["type"] == "gap"]
    ended = max(float(test["elapsed_s"]) + float(test["duration_s"]) for test in left.tests)
    assert float(left.samples[-1]["elapsed_s"]) >= ended


def test_a_collection_that_fails_leaves_the_report_that_was_there(pytester, left):
    pytester.makepyfile("def test_it(): pass")
    pytester.runpytest("--twin").assert_outcomes(passed=1)
    before = left.samples
    pytester.makepyfile(test_broken="import nothing_of_that_name")
    pytester.runpytest("--twin").assert_outcomes(errors=1)
    assert (left.samples, len(left.tests)) == (before, 1)


@pytest.mark.parametrize("flags", [["--disable-plugin-autoload"], ["-p", "no:twin"], ["-p", "no:xdist"]])
def test_the_plugin_can_be_named_whether_or_not_it_loads_by_itself(pytester, flags):
    pytester.makepyfile("def test_it(twin_logger): pass")
    result = pytester.runpytest_subprocess(*flags, "-p", "pytest_twin.plugin")
    result.assert_outcomes(passed=1)


def test_pytest_rewrites_no_assertions_of_the_plugin(pytester):
    pytester.makeconftest("""
        import pathlib, sys

        def pytest_unconfigure():
            ours = (module for name, module in sys.modules.items() if name.startswith("pytest_twin."))
            by_pytest = [each.__name__ for each in ours if "Rewriting" in type(each.__spec__.loader).__name__]
            pathlib.Path("rewritten").write_text(" ".join(by_pytest))
    """)
    pytester.makepyfile("def test_it(): pass")
    result = pytester.runpytest_subprocess("--disable-plugin-autoload", "-p", "pytest_twin.plugin", "--twin")
    result.assert_outcomes(passed=1)
    # pytest finds it before the plugin can say anything
    assert (pytester.path / "rewritten").read_text() == "pytest_twin.plugin"


def test_the_plugin_leaves_no_finder_of_modules_to_the_end_of_python(pytester):
    """Python would keep all modules that can be reached from it, and clear them one by one."""
    pytester.makeconftest("""
        import atexit, pathlib, sys

        def write():
            pathlib.Path("finders").write_text(" ".join(getattr(each, "__module__", "") for each in sys.meta_path))

        atexit.register(write)
    """)
    pytester.makepyfile("def test_it(): pass")
    for flags in ([], ["--twin"]):
        pytester.runpytest_subprocess("--disable-plugin-autoload", "-p", "pytest_twin.plugin", *flags)
        finders = (pytester.path / "finders").read_text()
        assert "importlib" in finders
        assert "pytest" not in finders


@pytest.mark.slow
def test_a_killed_run_keeps_its_rows_and_leaves_no_process(pytester, left, eventually, eventually_gone):
    pytester.makepyfile("""
        import time, pytest

        @pytest.mark.stress(cpu=1, mem=20)
        def test_it(): time.sleep(600)
    """)
    command = [sys.executable, "-m", "pytest", "--twin-interval=0.02", "-p", "no:cacheprovider"]
    run = subprocess.Popen(command, cwd=pytester.path, stdout=subprocess.DEVNULL)
    eventually(lambda: (left.folder / "annotations.csv").exists() and len(left.loads("start")) == 2, 60)
    eventually(lambda: (left.folder / "system_metrics_dataset.csv").exists() and len(left.samples) > 5)
    children = psutil.Process(run.pid).children(recursive=True)
    run.kill()
    run.wait()
    eventually_gone(children)
    assert sorted(left.loads("start")) == [("cpu", "1"), ("memory", "20")]
    assert len(left.samples) > 5


@pytest.mark.fault("helpers")
@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL")
def test_a_sampler_that_dies_is_replaced_and_the_gap_is_annotated(pytester, left):
    pytester.makepyfile(f"""{WAITS}
import psutil

REASON = "sampler: exit status -9"

def test_it():
    of_ours = [each for each in psutil.Process().children() if "sampler_main.py" in str(each.cmdline())]
    of_ours[0].kill()
    wait_for_event(event="end", type="gap", detail=REASON)
    wait_for_samples(2)
""")
    pytester.runpytest("--twin", "--twin-interval=0.05").assert_outcomes(passed=1)
    began, ended = (row for row in left.events if row["detail"] == "sampler: exit status -9")
    assert (began["event"], ended["event"], began["type"]) == ("start", "end", "gap")
    assert any(float(row["elapsed_s"]) > float(ended["elapsed_s"]) for row in left.samples)


HEAVY = ("click", "ctypes", "mmap", "msgspec", "numpy", "pandas", "plotly", "psutil", "rich")
OF_A_PLAIN_SESSION = {  # by room: without loads, reports or comparisons; the first test waits for whatever is imported
    "_system": "append_file child_process clock descriptor error_guard hardware interruptible_event locks "
    "private_files procfs response_timeout stderr_file stdlib",
    "analysis": "run run.by_host run.overview run.totals",
    "model": "attempt_row clock columns csv_text duration_text event flaky_row machine_speed profile_row safe_names "
    "shell_word version",
    "plugin": "fixtures hook_object hooks hookspecs load_context marks measured_budgets report_properties "
    "runtest_hooks session session_hooks stash terminal typed_options",
    "recording": "attempt constraints gaps outcome recording",
    "report": "terminal wording",
    "run_folder": "csv_rows finalize folder layout rotation tables",
    "settings": "options parsers",
    "stressors": "constraint system system.capacity",
    "telemetry": "calibration fingerprint probes process_counters process_tree_linux sampler sampler_config "
    "throttled_time",
}
OF_AN_OLD_FOLDER = {"pytest_twin.model.documents", "pytest_twin.model.error_text"}  # they parse its JSON files


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere psutil reads the counters")
def test_a_recording_and_its_summary_import_only_what_a_session_without_loads_needs(pytester):
    pytester.makeconftest("""
        import pathlib, sys

        def pytest_unconfigure():
            pathlib.Path("imported").write_text("\\n".join(sys.modules))
    """)
    pytester.makepyfile("def test_it(): pass")
    rooms = {room: ["", *names.split()] for room, names in OF_A_PLAIN_SESSION.items()}
    ours = {f"pytest_twin.{room}.{name}".rstrip(".") for room, names in rooms.items() for name in names}
    for also in (set(), OF_AN_OLD_FOLDER):  # the second run finds the files of the first
        done = pytester.runpytest_subprocess("--disable-plugin-autoload", "-p", "pytest_twin.plugin", "--twin")
        assert done.ret == 0
        assert "files: twin-report" in done.stdout.str()
        imported = set((pytester.path / "imported").read_text().split())
        assert {name for name in imported if name.startswith("pytest_twin.")} == ours | also
        assert sorted(name for name in imported if name.startswith(HEAVY)) == []
