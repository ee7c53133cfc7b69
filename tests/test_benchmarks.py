"""The benchmarks start, and the quickest of them run; their figures are not checked."""

from __future__ import annotations

import csv
import os
import random
import re
import runpy
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from pytest_twin import load
from pytest_twin.model.machine_calibration import MachineCalibration
from pytest_twin.telemetry.calibration import keep_calibration

FOLDER = Path(__file__).parent.parent / "benchmarks"
SCRIPTS = sorted(path.name for path in FOLDER.glob("[!_]*.py"))

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="they read /proc")


def run(name, *flags):
    done = subprocess.run([sys.executable, FOLDER / name, *flags], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_benchmark_tells_how_it_is_run(name):
    assert f"python benchmarks/{name}" in run(name, "--help")


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_readme_lists_every_benchmark(name):
    assert f"| `{name}` |" in (FOLDER / "README.md").read_text()


def test_the_cost_of_a_row_is_told_with_its_ratio_and_goal():
    told = run("row_cost.py", "--rounds", "1", "--repeat", "1", "--processes", "3")
    assert "psutil / the 17 legacy columns" in told
    assert told.count("goal at least") == 2


def test_the_run_that_reports_are_measured_with_can_be_read_as_a_whole(tmp_path):
    runpy.run_path(str(FOLDER / "_generated_run.py"))["write_run"](tmp_path, 300, 20)
    made = load(tmp_path)
    assert (len(made.samples), len(made.tests), made.problems) == (300, 20, ())


@pytest.mark.slow
def test_the_cost_of_reading_a_recording_is_told_beside_that_of_pandas():
    told = run("read_recording.py", "--rows", "1000")
    assert told.count(" of pandas") == 6


def test_the_cost_of_an_exporter_is_told_beside_that_of_its_peer():
    pytest.importorskip("prometheus_client")
    printed = run("exporter_cost.py", "--seconds", "2", "--rounds", "1")
    assert re.search(r"exporter, a scrape a second .* goal at most 1", printed)
    assert "sampler beside it by without" in printed


def test_a_short_soak_writes_every_row():
    assert " 21 in the file   goal 21\n" in run("soak.py", "--rows", "20")


@pytest.mark.slow
def test_a_killed_sampler_and_a_killed_run_are_looked_into():
    assert run("kill.py", "--times", "1").count("rows lost") == 3


@pytest.mark.slow
def test_a_monitor_that_is_missing_is_named_and_left_out(monkeypatch):
    monkeypatch.setenv("PATH", "")
    told = run("monitors.py", "--only", "atop", "--seconds", "1", "--warm-up", "8", "--rounds", "1")
    assert "atop: skipped, because it is not installed; apt-get install atop" in told
    assert "pytest-twin's sampler, " in told


def test_memory_is_filled_stopped_and_killed():
    told = run("memory_fill.py", "--size", "32MiB", "--rounds", "1", "--seconds", "0")
    assert told.count("goal at most 0.1") == 2
    assert told.count("freed after SIGKILL") == 2


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "seconds", "said"), [("disk_write.py", "0.2", "read, ours"), ("disk_rate.py", "1", "error of 50 MB/s")]
)
def test_a_disk_load_is_measured_also_where_there_is_no_other(name, seconds, said, tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", "")
    told = run(name, "--rounds", "1", "--seconds", seconds, "--directory", tmp_path)
    assert "fio: skipped, because it is not installed; apt-get install fio" in told
    assert said in told


@pytest.mark.slow
def test_a_share_is_told_with_its_errors_and_goals(monkeypatch):
    monkeypatch.setenv("PATH", "")
    told = run("cpu_share.py", "--seconds", "1", "--shares", "10")
    assert "stress-ng: skipped, because it is not installed" in told
    assert re.search(r"pytest-twin 10 %, rms, 0\.1 s +\+\d+\.\d+ pt +goal at most 0\.5", told)


@pytest.mark.slow
def test_a_replay_is_told_with_its_errors_and_goals(monkeypatch, tmp_path):
    pytest.importorskip("scipy")
    monkeypatch.setenv("PATH", "")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "trace.csv").write_text("timestamp,value\n" + "".join(f"{at},{at % 7 * 9}\n" for at in range(20)))
    told = run("twin_fidelity.py", tmp_path, "--points", "4", "--seconds", "2")
    assert re.search(r"^trace +pytest-twin +\d+\.\d+ ", told, re.MULTILINE), told
    assert re.search(r"^  gates: |^no replay: ", told, re.MULTILINE), told


@pytest.mark.slow
def test_a_predicted_slowdown_is_told_beside_the_measured_one_with_its_goal(tmp_path):
    flags = ["--seconds", "5", "--rounds", "3", "--profile-time", "10", "--recordings", "web", "--folder", tmp_path]
    told = run("predict_accuracy.py", "--only", "slowdown", "--tests", "test_sleep or short", *flags)
    assert re.search(r"^web +cpu\[short\] +\d+\.\d\d .* 3 starts", told, re.MULTILINE), told
    assert re.search(r"^median error +[\d.e+]+ % +goal at most 7$", told, re.MULTILINE), told
    assert re.search(r"^median error of no slowdown +[\d.e+]+ %", told, re.MULTILINE), told
    assert (tmp_path / "profile" / "profile.csv").exists()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/pressure/cpu").exists(), reason="no pressure stall information")
def test_an_overload_is_told_beside_the_measured_one_with_its_goal(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    flags = ["--only", "what-if", "--seconds", "4", "--recordings", "web"]
    bare = subprocess.run(
        [sys.executable, FOLDER / "predict_accuracy.py", *flags], capture_output=True, text=True, check=False
    )
    assert (bare.returncode, bare.stderr) == (1, "this machine is not calibrated; run pytest-twin calibrate\n")
    keep_calibration(MachineCalibration((0.0, 1.0, 1.5), (0.0, 0.1, 0.9), None))
    told = run("predict_accuracy.py", *flags)
    assert re.search(r"^web x1\.5( +\d+\.\d){6}$", told, re.MULTILINE), told
    assert told.count("goal at most 5 each") == 2


@pytest.mark.slow
def test_every_figure_is_told_beside_its_truth():
    told = run("truth.py", "--seconds", "0.5")
    for figure in ("cpu_s", "children_cpu_s", "memory_growth_MB", "sum: disk_write_MB", "load: MiB"):
        assert re.search(rf"^test_\w+ +{re.escape(figure)} +(none|nan|[-\d.e+]+) +[-\d.e+]+ ", told, re.MULTILINE), told


def test_the_table_of_the_truth_is_that_of_the_seeded_suite():
    folder = FOLDER / "flaky_suite"
    with (folder / "truth.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    command = [sys.executable, "-m", "pytest", "-q", "--collect-only", "-p", "no:cacheprovider", "-c", os.devnull]
    done = subprocess.run([*command, "--rootdir=."], cwd=folder, capture_output=True, text=True, check=False)
    collected = [line for line in done.stdout.splitlines() if "::" in line]
    assert [row["test"] for row in rows] == collected
    assert Counter(row["truth"] for row in rows) == {"breaks": 20, "holds": 20, "by chance": 4}
    assert {row["mildest"] for row in rows if row["truth"] == "breaks"} <= rows[0].keys()


@pytest.mark.slow
@pytest.mark.skipif(
    not os.access("/sys/fs/cgroup/cpu/cgroup.procs", os.W_OK) or len(os.sched_getaffinity(0)) < 2,
    reason="needs two CPUs and control groups of version 1 that can be written",
)
def test_the_truth_is_measured_anew():
    flags = ["--rounds", "1", "--quiet-runs", "1", "--only", "idle", "cpus=1", "-k", "test_pool"]
    told = run("flaky_suite/measure_truth.py", *flags)
    rows = list(csv.DictReader(line for line in told.splitlines() if line.count(",") == 5))
    assert [(row["mildest"], row["idle"], row["cpus=1"]) for row in rows] == [
        ("cpus=1", "0/1", "1/1"),
        ("", "0/1", "0/1"),
    ]
    assert not list(Path("/sys/fs/cgroup/cpu").glob("truth-*"))


@pytest.fixture
def flaky_search(monkeypatch):
    monkeypatch.syspath_prepend(FOLDER)
    return runpy.run_path(str(FOLDER / "flaky_search.py"))


def test_verdicts_are_compared_with_the_truth(flaky_search):
    truth = flaky_search["read_truth"](FOLDER / "flaky_suite" / "truth.csv")

    def finding(true):
        step = flaky_search["STEPS"].get(true.mildest, ("idle", 0))
        verdict = {"by chance": "flaky by itself"}.get(true.truth, true.truth)
        return flaky_search["Finding"](verdict, true.mildest, step, "5 of 5", "")

    found = flaky_search["Search"]({name: finding(true) for name, true in truth.items()}, 1, 1)
    assert +flaky_search["compare"](truth, found) == {"found": 20, "mildest": 20, "chance": 4}
    wrong = flaky_search["Finding"]("breaks", "disk=max", ("disk load", 1), "5 of 5", "")
    accused = flaky_search["Search"](dict.fromkeys(truth, wrong), 1, 1)
    counts = flaky_search["compare"](truth, accused)
    assert (counts["accused"], counts["chance accused"], counts["chance"]) == (20, 4, 0)
    assert 0 < counts["mildest"] < 20


def test_the_design_of_fixed_repetitions_finds_more_with_more_of_them(flaky_search):
    truth = flaky_search["read_truth"](FOLDER / "flaky_suite" / "truth.csv")
    few, many = (flaky_search["simulate_design"](truth, repeats, random.Random(1)) for repeats in (2, 30))
    assert (few, many) == (0, 20)


@pytest.mark.slow
def test_a_level_of_the_host_is_told_with_its_errors_and_goals(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert "goal at most 0.3" in run("cpu_total.py", "--seconds", "1", "--levels", "40")


@pytest.mark.slow
def test_a_trace_is_replayed_from_a_file(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", "")
    (tmp_path / "trace.csv").write_text("timestamp,value\n" + "".join(f"{at},{5 + at % 3}\n" for at in range(9)))
    told = run("cpu_trace.py", str(tmp_path / "trace.csv"), "--points", "6")
    assert told.count("pytest-twin, ") == 3


@pytest.mark.slow
def test_the_storm_of_kills_leaves_nothing_of_constraints():
    told = run("kill_storm.py", "--kills", "0", "--constrained-kills", "6")
    assert told.count("  stopped") == told.count(", kills")
    assert re.search(r"(control group|stop signals), kills +6", told)
    for what in ("stopped", "elsewhere", "limited", "groups", "processes"):
        assert set(re.findall(rf"^  {what} +(\d+)", told, re.MULTILINE)) == {"0"}


@pytest.mark.slow
def test_two_hundred_kills_leave_nothing_of_constraints():
    told = run("kill_storm.py", "--kills", "0", "--constrained-kills", "100")
    for what in ("stopped", "elsewhere", "limited", "groups", "processes"):
        assert set(re.findall(rf"^  {what} +(\d+)", told, re.MULTILINE)) == {"0"}, told


@pytest.mark.slow
def test_a_quota_is_told_with_its_errors_and_goals(monkeypatch):
    monkeypatch.setenv("PATH", "")
    told = run("constrain.py", "--seconds", "1", "--quotas", "0.25", "--processes", "1", "--tests", "5")
    assert "cpulimit: skipped, because it is not installed; apt-get install cpulimit" in told
    assert re.search(r"ours, stop signals: mean error +[-+]\d+\.\d+ % +goal at most 1", told)
    assert "ours, stop signals: cost" in told
