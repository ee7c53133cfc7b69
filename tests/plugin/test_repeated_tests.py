"""Budgets that need a test to be run many times: how much slower a load makes it, how long it takes most times."""

from __future__ import annotations

import pytest

WORLD = """
import psutil, pytest, time

budget = pytest.mark.twin_budget
runs = []

def is_stressed():
    return sum(child.memory_info().rss for child in psutil.Process().children(recursive=True)) > 100 << 20

def sleep(idle, stressed):
    runs.append(is_stressed())
    time.sleep(stressed if runs[-1] else idle)
"""
UNDER = 'under="mem=100MiB", pairs=6'
MORE = 'under="mem=100MiB", pairs=12'  # of which one may be anything, where the machine stands still for a while


@pytest.mark.slow
def test_a_load_that_slows_a_test_too_much_fails_it(pytester, left):
    pytester.makepyfile(f"""{WORLD}
@budget(slowdown=1.5, {MORE})
def test_it(tmp_path):
    (tmp_path / "new").mkdir()  # each repetition has fixtures of its own
    sleep(0.02, 0.2)

def test_repetitions_are_balanced():
    assert (len(runs), sum(runs)) == (26, 12)  # one more in front, and the one that is reported
    order = ["".join("is"[run] for run in runs[at:at + 2]) for at in range(1, 25, 2)]
    assert set(order) == {{"is", "si"}}
""")
    result = pytester.runpytest()
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.re_match_lines(
        [
            r"over budget: slowdown [\d.]+ \([\d.]+ to [\d.]+ with 95 % confidence\) exceeds the limit of 1\.5; 12 .*",
            r"see twin-report.tests\.csv, where each repetition has a row",
        ]
    )
    result.stdout.re_match_lines([r".* m?s idle and \S+ m?s under mem=100MiB \(achieved 1\d\d\.\dMiB.*\)"])
    rows = [row for row in left.tests if "test_it" in row["nodeid"]]
    assert [row["attempt"] for row in rows] == [str(number) for number in range(1, 27)]
    assert sum(row["load"] == "mem=100MiB" for row in rows) == 12
    assert [row["outcome"] for row in rows] == ["passed"] * 25 + ["failed"]
    assert rows[-1]["budget"].startswith("slowdown ")
    assert rows[-1]["budget"].endswith(" > 1.5")
    assert [bool(row["folder"]) for row in rows] == [False] * 25 + [True]


def test_a_load_that_does_not_slow_it_lets_it_pass(pytester, left):
    pytester.makepyfile(f"""{WORLD}
import unittest

class TestCase(unittest.TestCase):
    @budget(slowdown=100, {UNDER})  # a pause of five seconds
    def test_it(self): sleep(0.05, 0.05)
""")
    result = pytester.runpytest()
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*TwinWarning*")
    assert left.tests[-1]["budget"] == "ok"


@pytest.mark.slow
@pytest.mark.parametrize(("choice", "outcome"), [("pass", "passed"), ("fail", "failed")])
def test_what_cannot_be_told_passes_with_a_warning_or_fails_if_that_is_wanted(pytester, left, choice, outcome):
    pytester.makepyfile(f"""{WORLD}
@budget(slowdown=1.5, {UNDER})
def test_it(): sleep(0.05, 0.005 if sum(runs) % 2 else 0.3)
""")
    result = pytester.runpytest(f"--twin-inconclusive={choice}", "-W", "default")
    result.assert_outcomes(**{outcome: 1}, warnings=0 if choice == "fail" else 1)
    result.stdout.fnmatch_lines(
        ["*budget: slowdown * is inconclusive for the limit of *; more pairs than 6 give a narrower interval"]
    )
    assert " ? 1.5" in left.tests[-1]["budget"]


@pytest.mark.slow
def test_short_loads_that_were_less_than_asked_tell_nothing(pytester, left):
    pytester.makepyfile(f"""{WORLD}
@budget(slowdown=100, under="net=9000GB/s", pairs=6)
def test_it(): time.sleep(0.3)
""")
    result = pytester.runpytest("-W", "default")
    result.assert_outcomes(passed=1, warnings=1)
    result.stdout.fnmatch_lines(["*in 6 of them the load achieved less than requested: net=9000GB/s: starved: *"])
    assert " ? 100" in left.tests[-1]["budget"]


def test_a_test_that_fails_under_the_load_fails_with_its_own_failure(pytester, left):
    pytester.makepyfile(f"""{WORLD}
@budget(slowdown=1.5, {UNDER})
def test_it():
    print("busy", is_stressed())
    assert not is_stressed(), "too busy"
""")
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["Captured stdout call:", "busy True", "see twin-report*"])
    result.stdout.re_match_lines(
        [r"over budget: a repetition under mem=100MiB failed in its call, after \d+ that passed", r".*too busy"]
    )


def test_a_test_that_fails_at_once_or_is_skipped_is_not_repeated(pytester, left):
    pytester.makepyfile(f"""{WORLD}
pytestmark = budget(slowdown=1.5, {UNDER})

def test_failing(): assert False, "its own"

def test_skipped(): pytest.skip("not here")
""")
    pytester.runpytest().assert_outcomes(failed=1, skipped=1)
    assert len(left.tests) == 4


def test_most_repetitions_may_not_take_longer_than_the_percentile(pytester, left):
    pytester.makepyfile("""
import pytest, time

@pytest.mark.twin_budget(p50=0, repeats=6)
def test_over(): pass

@pytest.mark.twin_budget(p50="10s", p90="20s")
def test_within(): pass
""")
    result = pytester.runpytest()
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.re_match_lines(
        [r"over budget: p50 \S+ .?s \(.*s to .*s with 95 % confidence\) exceeds the limit of 0 s; 6 repetitions"]
    )
    assert [row["budget"] for row in left.tests if "within" in row["nodeid"]] == [""] * 37 + ["ok"]


def test_too_few_repeats_are_refused_before_any_test_runs(pytester):
    pytester.makepyfile("""
import pytest

@pytest.mark.twin_budget(p95=1, repeats=20)
def test_it(): pass
""")
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: *twin_budget(repeats): 20 repetitions are too few for p95; at least 72 are needed"]
    )


def test_what_is_set_up_for_the_module_is_set_up_once_and_warnings_and_output_are_told_once(pytester):
    pytester.makepyfile("""
import pytest

@pytest.fixture(scope="module")
def dear(): print("set up, dear")

@pytest.mark.twin_budget(p50=100)
def test_it(dear):
    print("said once")
    assert True

@pytest.mark.twin_budget(p50=100)
def test_again(dear): pass
""")
    result = pytester.runpytest("-rP")
    result.assert_outcomes(passed=2)
    assert result.stdout.str().count("said once") == 1


@pytest.mark.slow
def test_workers_of_xdist_repeat_as_well(pytester, left):
    pytester.makepyfile("""
import pytest

@pytest.mark.twin_budget(p50=100)
def test_it(): pass
""")
    pytester.runpytest("-n1").assert_outcomes(passed=1)
    assert [row["budget"] for row in left.tests] == [""] * 7 + ["ok"]
