"""A load around every test, without a mark: `--twin-stress`."""

from __future__ import annotations

from itertools import pairwise

import pytest

TESTS = """
import psutil, pytest, time

def resident():
    return sum(child.memory_info().rss for child in psutil.Process().children(recursive=True)) >> 20

def test_plain(): assert resident() > 100

@pytest.mark.stress(mem="100MiB")
def test_marked(): assert resident() > 200
"""


def test_every_test_is_under_the_load_in_addition_to_its_own(pytester, left):
    pytester.makepyfile(TESTS)
    result = pytester.runpytest("--twin-stress", "mem=101MiB")
    result.assert_outcomes(passed=2)
    result.stdout.fnmatch_lines(["twin: recording*, each test under mem=101MiB"])
    assert [row["load"] for row in left.tests] == ["mem=101MiB", "mem=100MiB mem=101MiB"]
    assert sorted(left.loads("end")) == [("memory", f"{size}MiB") for size in (100, 101, 101)]


def test_each_repetition_is_under_the_load(pytester, left):
    pytester.makepyfile(TESTS)
    pytester.runpytest("--twin-stress=mem=101MiB", "--twin-repeat=3", "-k", "plain").assert_outcomes(passed=1)
    assert [row["load"] for row in left.tests] == ["mem=101MiB"] * 3
    assert left.loads("end") == [("memory", "101MiB")]  # around all of them


@pytest.mark.parametrize("load", ["mem=101MiB ramp=100ms", "mem=101MiB strict=true"])
def test_a_load_that_changes_or_is_strict_begins_again_with_each_repetition(pytester, left, load):
    pytester.makepyfile("def test_it(): pass")
    pytester.runpytest(f"--twin-stress={load}", "--twin-repeat=2").assert_outcomes(passed=1)
    assert len(left.loads("end")) == 2


def test_an_interrupt_ends_the_load_that_is_held_over_the_repetitions(pytester, left):
    pytester.makepyfile(f"""{TESTS}
def test_interrupted(runs=[]):
    runs.append(1)
    if len(runs) == 2: raise KeyboardInterrupt
""")
    result = pytester.runpytest(
        "--twin-stress=mem=101MiB", "--twin-repeat=3", "-k", "interrupted", no_reraise_ctrlc=True
    )
    assert result.ret == pytest.ExitCode.INTERRUPTED
    assert len(left.loads("start")) == len(left.loads("end")) == 1


@pytest.mark.slow
def test_stress_constraint_and_repetitions_together_reproduce_a_flaky_test(pytester, left):
    pytester.makepyfile("""
import time

def test_is_quick():
    began = time.monotonic()
    until = time.process_time() + 0.1
    while time.process_time() < until: pass
    assert time.monotonic() - began < 1, "too slow"
""")
    result = pytester.runpytest_subprocess(
        "--twin-stress=fds=3", "--twin-constrain=cpu=0.05", "--twin-repeat=2", "-p", "no:xdist"
    )
    if result.ret == pytest.ExitCode.USAGE_ERROR:
        pytest.skip(result.stderr.str())
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["failed 2 of 2: *::test_is_quick"])
    assert [row["load"] for row in left.tests] == ["fds=3"] * 2
    assert [row["constraint"] for row in left.tests] == ["cpu=0.05"] * 2


def test_a_load_that_is_less_than_requested_is_told_once_for_all_runs_of_a_test(pytester):
    pytester.makepyfile("import time\ndef test_it(): time.sleep(0.3)")
    result = pytester.runpytest("--twin-stress=net=9000GB/s", "--twin-repeat=3", "-W", "default")
    result.assert_outcomes(passed=1, warnings=1)


def test_a_load_that_is_less_than_requested_fails_a_repeated_test_once_where_warnings_are_errors(pytester):
    pytester.makepyfile("import time\ndef test_it(): time.sleep(0.3)")
    result = pytester.runpytest("--twin-stress=net=9000GB/s", "--twin-repeat=3", "-W", "error::pytest_twin.TwinWarning")
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.re_match_lines_random([r"E +pytest_twin.TwinWarning: net=9000GB/s: .*"])


def test_repetitions_for_a_budget_are_under_both_loads(pytester, left):
    pytester.makepyfile("""
import pytest

@pytest.mark.twin_budget(slowdown=100, under="threads=5", pairs=6)
def test_it(): pass
""")
    pytester.runpytest("--twin-stress=fds=3", "-W", "ignore")
    assert sorted({row["load"] for row in left.tests}) == ["fds=3", "fds=3 threads=5"]


def test_a_dry_run_shows_it(pytester):
    pytester.makepyfile(TESTS)
    result = pytester.runpytest("--twin-stress=cpu=2 ramp=1s", "--twin-dry-run")
    result.stdout.fnmatch_lines(["*::test_plain: cpu=2 ramp=1s", "*::test_marked: mem=100MiB cpu=2 ramp=1s"])


@pytest.mark.parametrize(
    ("load", "problem"),
    [
        ("cpu", "'cpu' is not a load; write one such as cpu=100% mem=50%"),
        ("cpu=many", "cpu: 'many' is not an amount; give a whole number of workers, or a share such as \"75%\""),
        ("ramp=2s", "applies no load; give cpu, cpu_total, disk, fds, iops, mem, membw, net, threads"),
        ("cpu=1,mem=1GiB", "'cpu=1,mem=1GiB' has commas between its keywords; write spaces: cpu=1 mem=1GiB"),
        (
            "cpus=1",
            '"cpus" is a keyword of constraints, not of loads; use --twin-constrain cpus=1 or the mark constrain',
        ),
        ("cpu=0", "cpu=0 applies nothing; give an amount above 0 such as cpu=8"),
    ],
)
def test_what_is_no_load_is_refused_before_anything_starts(pytester, left, load, problem):
    result = pytester.runpytest(f"--twin-stress={load}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert [line for line in result.errlines if line.startswith("ERROR")] == [f"ERROR: --twin-stress: {problem}"]
    assert not left.folder.exists()


@pytest.mark.slow
def test_no_other_worker_runs_a_test_meanwhile(pytester, left):
    pytester.makepyfile("""
import pytest, time

@pytest.mark.parametrize("number", range(4))
def test_it(number): time.sleep(0.3)
""")
    pytester.runpytest("-n2", "--twin-stress=fds=3").assert_outcomes(passed=4)
    spans = left.spans("test")
    assert len({row["worker"] for row in left.tests}) == 2
    assert all(ended <= began for (_, ended), (began, _) in pairwise(spans))
