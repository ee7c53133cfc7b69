"""Runs that are saved, and compared with what was saved."""

from __future__ import annotations

import json
import sys

import jsonschema
import pytest

from pytest_twin.report.json_document import schema

BURNS = """
import time
def test_burns():
    until = time.process_time() + {}
    while time.process_time() < until: pass
def test_idle(): pass
"""


@pytest.fixture
def run(pytester):
    """Runs a suite of a test that takes so many CPU seconds; what pytest came to."""

    def ran(cpu_s, *flags):
        pytester.makepyfile(test_it=BURNS.format(cpu_s))
        return pytester.runpytest_inprocess("--twin-interval=60", *flags)

    return ran


def test_a_run_is_saved_and_a_costlier_one_fails_against_it(run, pytester):
    run(0.05, "--twin-save=main").stdout.fnmatch_lines(["saved as main/0001"])
    kept = pytester.path / ".twin-baselines/main/0001"
    assert {path.name for path in kept.iterdir()} == {"tests.csv", "fingerprint.json", "baseline.json"}
    assert json.loads((kept / "baseline.json").read_text())["name"] == "main"
    assert (pytester.path / ".twin-baselines/.gitignore").read_text() == "*\n"
    came = run(0.5, "--twin-compare=main", "--twin-fail-on=cpu_seconds>100%")
    assert came.ret == pytest.ExitCode.TESTS_FAILED
    came.assert_outcomes(passed=2)
    came.stdout.fnmatch_lines(
        [
            "compared: main (1 run) -> this run (1 run), on the same machine",
            "test_it.py::test_burns",
            "  cpu_seconds *possibly more ✗",
        ]
    )
    came.stdout.fnmatch_lines(["FAILED cpu_seconds>100%: test_it.py::test_burns: *"])


def test_a_run_is_compared_with_what_was_saved_before_it_and_then_saved_itself(run):
    run(0.01, "--twin-save=main")
    came = run(0.01, "--twin-save=main", "--twin-compare=last")
    assert came.ret == 0
    came.stdout.fnmatch_lines(
        ["compared: main/0001 (1 run) -> this run (1 run), on the same machine", "saved as main/0002"]
    )


def test_baselines_that_somebody_keeps_in_git_stay_there(run, pytester):
    (pytester.path / ".twin-baselines").mkdir()
    run(0.01, "--twin-save=main")
    assert {path.name for path in (pytester.path / ".twin-baselines").iterdir()} == {"main"}


LEAKS = """
KEPT = []
def test_before(): pass
def test_leak(): KEPT.append(b"x" * ({} << 20))
def test_after(): pass
def test_last(): pass
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="/proc/self/statm")
def test_a_leak_fails_the_run_for_the_test_that_leaks_and_for_no_other(pytester):
    def ran(size, *flags):
        pytester.makepyfile(test_it=LEAKS.format(size))
        return pytester.runpytest_subprocess("--twin-interval=60", *flags)

    ran(0, "--twin-save=main")
    limited = ("--twin-compare=main", "--twin-fail-on=peak_memory>50MiB")
    assert ran(0, *limited).ret == 0
    came = ran(60, *limited)
    assert came.ret == pytest.ExitCode.TESTS_FAILED
    failed = [line.split(":", 1)[1].split(": ")[0].strip() for line in came.outlines if line.startswith("FAILED ")]
    assert failed == ["all tests together", "test_it.py::test_leak"]
    came = ran(60, "--twin-compare=main", "--twin-fail-on=peak_resident>50MiB")
    assert sum(line.startswith("FAILED peak_resident>50MiB: test_it") for line in came.outlines) == 3


def test_a_run_that_was_cut_short_is_neither_saved_nor_compared(pytester):
    pytester.makepyfile("def test_bad(): assert False\ndef test_good(): pass")
    came = pytester.runpytest_inprocess("--twin-interval=60", "--twin-save=main", "-x")
    came.stdout.fnmatch_lines(["the run was interrupted; it is neither saved nor compared"])
    assert not (pytester.path / ".twin-baselines").exists()


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        (
            "--twin-compare=main",
            "--twin-compare: main: neither a baseline in * (none saved; --twin-save NAME saves one) nor a *",
        ),
        (
            "--twin-save=last",
            "--twin-save: 'last' is not a baseline name; use up to 64 of A-Z a-z 0-9 . _ -, *",
        ),
        (
            "--twin-save=../up",
            "--twin-save: '../up' is not a baseline name; use up to 64 of A-Z a-z 0-9 . _ -, *",
        ),
        (
            "--twin-fail-on=cpu>1%",
            "--twin-fail-on: 'cpu>1%' names the unknown measure cpu; known are cpu_seconds, duration, *",
        ),
        (
            "--twin-fail-on=duration>1%, read",
            "--twin-fail-on: 'duration>1%, read' has 'read', which is not a limit such as *",
        ),
        (
            "--twin-fail-on=cpu_seconds>1%",
            "--twin-fail-on: there is nothing to compare with; give --twin-compare RUNS too",
        ),
    ],
)
def test_what_is_wrong_is_told_before_any_test_runs(run, flag, said):
    came = run(0, flag)
    assert came.ret == pytest.ExitCode.USAGE_ERROR
    came.stderr.fnmatch_lines([f"ERROR: *{said}".replace("[", "[[]")])


def test_a_limit_in_the_configuration_waits_for_a_run_that_is_compared(run, pytester):
    pytester.makeini("[pytest]\ntwin_fail_on = cpu_seconds>10%")
    assert run(0).ret == pytest.ExitCode.OK


@pytest.mark.slow
def test_under_xdist_the_controller_saves_the_run_once(run, pytester):
    pytest.importorskip("xdist")
    run(0.01, "--twin-save=main", "-n2").stdout.fnmatch_lines(["saved as main/0001"])
    assert len(list((pytester.path / ".twin-baselines/main").iterdir())) == 1


def test_the_reports_of_a_run_that_was_compared_tell_what_came_of_it(run, pytester):
    run(0.05, "--twin-save=main")
    run(0.5, "--twin-compare=main", "--twin-fail-on=cpu_seconds>100%", "--twin-report=html,md,json")
    for name in ("report.html", "summary.md"):
        text = (pytester.path / "twin-report" / name).read_text(encoding="utf-8")
        assert "main (1 run) -&gt; this run (1 run), on the same machine" in text
        assert "possibly more" in text
    found = json.loads((pytester.path / "twin-report" / "run.json").read_text(encoding="utf-8"))
    jsonschema.validate(found, schema())
    assert [each["is_kept"] for each in found["comparison"]["limits"]] == [False]
