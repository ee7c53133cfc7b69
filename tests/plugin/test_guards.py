"""Loads that are watched: ``strict``, ``stop_when``, ``--twin-limit``, and the pause in a debugger."""

from __future__ import annotations

import json
import sys

import pytest
from inner_runs import WAITS

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")


def test_a_strict_test_fails_before_its_body_where_its_load_cannot_be_had(pytester):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.stress(disk="1MB/s", directory="/no/such/place", strict=True)
        def test_it(): print("the body")
    """)
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["disk=1MB/s strict: /no/such/place is not a directory"])
    result.stdout.no_fnmatch_line("the body")


KILLS = """
import os, psutil, pytest

@pytest.mark.stress(cpu=1, strict=STRICT)
def test_it():
    for process in psutil.Process().children(recursive=True):
        if process.name() == "twin-stressors" and not process.children():
            process.kill()
    wait_for_event(event="abort", type="cpu")
"""


@pytest.mark.fault("helpers")
@posix
@pytest.mark.parametrize("strict", [True, False])
def test_a_load_that_dies_fails_a_strict_test_and_warns_another(pytester, left, strict):
    pytester.makepyfile(WAITS + KILLS.replace("STRICT", str(strict)))
    result = pytester.runpytest("-W", "default")
    result.assert_outcomes(failed=int(strict), passed=int(not strict), warnings=int(not strict))
    assert left.loads("abort") == [("cpu", "1")]
    result.stdout.fnmatch_lines([f"*cpu=1{' strict' if strict else ''}: worker * killed by SIGKILL"])


def test_a_condition_on_samples_stops_the_load(pytester, left, categories):
    pytester.makepyfile(f"""{WAITS}
import pytest

@pytest.mark.stress(cpu=1, stop_when="process_count>0")
def test_it(): wait_for_event(event="abort", type="cpu")
""")
    result = pytester.runpytest("--twin-interval=0.05", "-W", "default")
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*cpu=1: *stop_when: process_count is *, > 0"])
    assert categories(result) == ["TwinWarning"]
    assert left.loads("abort") == [("cpu", "1")]


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("ram_used_percnt>95", 'unknown column "ram_used_percnt"; did you mean "ram_used_percent"?'),
        ("ram", "'ram' is not a condition on a column, such as \"ram_used_percent>95\""),
    ],
)
def test_a_wrong_condition_is_told_before_any_test(pytester, condition, said):
    pytester.makepyfile(f"""
        import pytest

        @pytest.mark.stress(cpu=1, stop_when={condition!r})
        def test_it(): pass
    """)
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: *::test_it: stress(stop_when): {said}"])


def test_a_schedule_with_an_unknown_column_is_refused(pytester):
    event = {"duration": "1s", "cpu": 1, "stop_when": "nothing>1"}
    (pytester.path / "plan.json").write_text(json.dumps({"events": [event]}))
    result = pytester.runpytest("--twin-schedule=plan.json")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(['ERROR: plan.json: event e1: stop_when: unknown column "nothing"; known are *'])


def test_what_would_be_over_the_limit_is_not_applied(pytester, left):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.stress(mem="10MiB")
        def test_it(stress_mem):
            stress_mem("10MiB")
            with pytest.raises(RuntimeError, match="the total load would be 120% of the limit mem=25MiB"):
                stress_mem("10MiB")
    """)
    pytester.runpytest("--twin-limit=mem=25MiB").assert_outcomes(passed=1)
    assert left.loads("abort") == [("memory", "10MiB")]


@pytest.mark.parametrize(
    ("limit", "said"),
    [
        ("mem", "--twin-limit: 'mem' is not a load; write one such as cpu=100% mem=50%"),
        ("mem=lots", "--twin-limit: mem: *"),
        ("gpu=1", '--twin-limit: unknown keyword "gpu"; *'),
        ("cpu=0%", "--twin-limit: cpu=0% limits nothing; give an amount above 0 such as cpu=100%"),
        ("ramp=1s", "--twin-limit: ramp=1s limits nothing; give an amount above 0 such as cpu=100%"),
    ],
)
def test_a_wrong_limit_is_told_at_once(pytester, limit, said):
    result = pytester.runpytest(f"--twin-limit={limit}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {said}"])


def test_a_strict_event_of_the_sessions_schedule_fails_the_run(pytester):
    event = {"duration": "1h", "disk": "1MB/s", "directory": "/no/such/place", "strict": True}
    (pytester.path / "plan.json").write_text(json.dumps({"events": [event]}))
    pytester.makepyfile(f"{WAITS}\ndef test_it(): wait_for_event(event='abort', type='disk')")
    result = pytester.runpytest("--twin-schedule=plan.json")
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(["ERROR: disk=1MB/s strict: /no/such/place is not a directory"])


@pytest.mark.slow
@pytest.mark.fault("pauses")
@posix
def test_loads_rest_while_somebody_debugs_and_the_gap_is_marked(pytester, left):
    pytester.makepyfile("""
        import pytest, time

        @pytest.mark.stress(cpu=1)
        def test_it():
            time.sleep(0.3)
            breakpoint()
            time.sleep(0.1)
    """)
    child = pytester.popen([sys.executable, "-m", "pytest", "-s"], stdin=-1, stdout=-1, stderr=-2)
    child.communicate(b"import time; time.sleep(1.5)\ncontinue\n", timeout=60)
    assert child.returncode == 0
    gap = [row for row in left.events if row["detail"] == "loads paused: debugger"]
    assert [(row["event"], row["type"]) for row in gap] == [("start", "gap"), ("end", "gap")]
    rested = float(gap[1]["elapsed_s"]) - float(gap[0]["elapsed_s"])
    assert rested > 1.4
    [(began, ended)] = left.spans("cpu")
    [end] = [row for row in left.load_rows("end") if row["type"] == "cpu"]
    assert json.loads(end["detail"])["cpu_s"] < ended - began - rested + 0.5
