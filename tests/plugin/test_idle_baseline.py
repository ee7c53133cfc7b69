"""What this machine does at idle is taken out of what a replay beside tests adds."""

from __future__ import annotations

import json
import os

import pytest
from inner_runs import WAITS
from made_runs import MadeRun

from pytest_twin.plugin.idle_baseline import MOST, IdleBaseline, measure_baseline
from pytest_twin.telemetry.cpu_usage import measure_cpu_share

IDLE = """
    import pytest_twin.telemetry.cpu_usage as cpu_usage
    cpu_usage.measure_cpu_share = lambda: {share}
"""
LINE = "twin: this machine uses 5.5 % of its CPUs at idle: replays add as much less"
BUSY = "twin: this machine is busy (60 % of its CPUs), and what is replayed comes on top"


@pytest.fixture
def idle(pytester):
    """Makes this machine use a share of its CPUs at idle, beside a recording whose CPU usage is at most 6 %."""
    (pytester.path / "server.csv").write_text("elapsed_s,cpu_percent\n600,5\n1200,6\n")
    (pytester.path / "plan.json").write_text('{"anchor": "test", "events": [{"replay": "server.csv", "to": "10m"}]}')
    pytester.makepyfile(f"{WAITS}\ndef test_it(): wait_for_samples(2)\n")
    return lambda share: pytester.makeconftest(IDLE.format(share=share))


def loads(left):
    return [row["target"] for row in left.events if row["type"] == "cpu" and row["event"] == "start"]


def notes(left):
    found = [json.loads(row["detail"]) for row in left.events if row["event"] == "note" and "idle" in row["detail"]]
    return [each["idle_cpu_percent"] for each in found]


def test_a_machine_that_does_more_at_idle_than_was_recorded_gets_no_load(pytester, left, idle):
    idle(0.055)
    result = pytester.runpytest("--twin-schedule=plan.json")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([LINE])
    assert loads(left) == []
    assert notes(left) == [5.5]


def test_a_machine_that_does_nothing_gets_the_load(pytester, left, idle):
    idle(0.0)
    result = pytester.runpytest("--twin-schedule=plan.json")
    result.stdout.fnmatch_lines(["twin: this machine uses 0.0 % of its CPUs at idle: replays add as much less"])
    assert loads(left) == ["server.csv"]


def test_a_busy_machine_is_not_idle(pytester, left, idle):
    idle(0.6)
    pytester.runpytest("--twin-schedule=plan.json").stdout.fnmatch_lines([BUSY])
    assert loads(left) == ["server.csv"]
    assert notes(left) == [0.0]


def test_it_is_taken_out_of_a_schedule_of_the_session_and_of_the_marks_of_a_test(pytester, left, idle):
    idle(0.055)
    document = (pytester.path / "plan.json").read_text()
    (pytester.path / "session.json").write_text(document.replace('"test"', '"session"'))
    pytester.runpytest("--twin-schedule=session.json").stdout.fnmatch_lines([LINE])
    assert loads(left) == []
    pytester.makepyfile(f"""{WAITS}
import pytest
@pytest.mark.twin_schedule("plan.json")
def test_it(): wait_for_samples(2)
""")
    pytester.runpytest("--twin").stdout.fnmatch_lines([LINE])
    assert loads(left) == []


@pytest.mark.parametrize("flags", [(), pytest.param(("-n1",), marks=pytest.mark.slow)], ids=["alone", "worker"])
def test_it_is_taken_out_of_what_others_did_in_a_run(pytester, left, idle, flags):
    if flags:
        pytest.importorskip("xdist")
    idle(0.055)
    run = MadeRun(pytester.path / "ci").sampled(4, cpu_percent=25.0, tests_cpu_percent=20.0)
    path, cpus = run.test("test_other.py::test_a", 1, 2).write(), os.cpu_count()
    (path / "fingerprint.json").write_text(json.dumps({"cpu": {"logical": cpus, "allowed": cpus}}))
    result = pytester.runpytest_subprocess("--twin-like=ci", *flags)
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines([LINE])
    assert loads(left) == []


def test_without_a_replay_nothing_is_measured(pytester, idle):
    idle("1 / 0")
    (pytester.path / "plain.json").write_text('{"events": [{"duration": "1s", "mem": "1MiB"}]}')
    pytester.runpytest("--twin-schedule=plain.json").assert_outcomes(passed=1)
    assert measure_baseline([], None) == IdleBaseline()


def test_the_share_in_use_is_one_of_all_cpus():
    assert 0 <= measure_cpu_share(0.1) <= 1
    assert 0 < MOST < 1
