"""Each test is run several times and reported once: `--twin-repeat`."""

from __future__ import annotations

import sys
from xml.etree import ElementTree as ET

import pytest

COUNTED = """
import collections, os, pytest, signal, time, unittest

runs = collections.Counter()

def count(name):
    runs[name] += 1
    return runs[name]
"""


@pytest.fixture(autouse=True)
def wide(monkeypatch):
    """Whole lines of the short test summary: its tests have long names here."""
    monkeypatch.setenv("COLUMNS", "300")


def rows(left):
    """(test, attempt, outcome) in the order of time."""
    return [(row["nodeid"].rpartition("::")[2], int(row["attempt"]), row["outcome"]) for row in left.tests]


def test_a_test_that_fails_sometimes_is_reported_once_with_its_first_failure(pytester, left):
    pytester.makepyfile(f"""{COUNTED}
def test_it():
    number = count("it")
    print("this is run", number)
    assert number % 3, f"run {{number}}" if number < 9 else "other"
""")
    result = pytester.runpytest("--twin-repeat=10", "--junitxml=junit.xml")
    result.assert_outcomes(failed=1)
    assert result.ret == pytest.ExitCode.TESTS_FAILED
    result.stdout.fnmatch_lines(
        [
            "twin: recording*, each test 10 times",
            "E * AssertionError: run 3",
            "*- repetitions -*",
            "failed 3 of 10, first in run 3",
            "   2 x AssertionError: run 3",
            "   1 x AssertionError: other",
            "*Captured stdout call*",
            "this is run 3",
            "failed 3 of 10: *::test_it",
            "FAILED *::test_it - failed 3 of 10: Asse*",
        ]
    )
    result.stdout.no_fnmatch_line("this is run [!3]")
    assert rows(left) == [("test_it", number, "passed" if number % 3 else "failed") for number in range(1, 11)]
    (case,) = ET.parse(pytester.path / "junit.xml").iter("testcase")  # noqa: S314 - our own
    assert case.find("failure").get("message").startswith("failed 3 of 10: AssertionError: run 3")
    assert [each.get("value") for each in case.iter("property") if each.get("name") == "twin_repeat"] == [
        "failed 3 of 10"
    ]


def test_each_run_has_new_fixtures_and_a_new_instance_and_shares_those_of_class_and_module(pytester):
    pytester.makepyfile(f"""{COUNTED}
@pytest.fixture(scope="module")
def module():
    count("module")
    yield
    assert runs["class"] == 1

@pytest.fixture(scope="class")
def of_class(module): count("class")

@pytest.fixture
def own(of_class, tmp_path):
    (tmp_path / "new").mkdir()
    count("own")

class TestIt:
    @pytest.mark.parametrize("letter", "ab")
    def test_it(self, own, letter, record_property):
        assert not hasattr(self, "seen")
        self.seen = record_property("seen", letter)
        assert runs["module"] == runs["class"] == 1

class TestUnit(unittest.TestCase):
    def setUp(self): self.number = count("unit")

    def test_it(self):
        assert not hasattr(self, "seen")
        self.seen = True
        assert self.number == runs["unit"]

def test_last(module): assert (runs["own"], runs["unit"], runs["module"]) == (10, 5, 1)
""")
    result = pytester.runpytest("--twin-repeat=5", "-W", "ignore", "--junitxml=junit.xml")
    result.assert_outcomes(passed=4)
    result.stdout.fnmatch_lines(["passed 5 of 5: 4 tests"])
    junit = ET.parse(pytester.path / "junit.xml")  # noqa: S314
    names = [each.get("name") for each in junit.iter("property")]
    assert names.count("seen") == 2


def test_the_first_failure_ends_the_runs_if_wanted_and_what_follows_has_its_fixtures(pytester, left):
    pytester.makepyfile(f"""{COUNTED}
@pytest.fixture(scope="module")
def module(): yield count("module")

@pytest.fixture
def fails_late():
    yield
    assert count("late") != 2

class TestIt:
    @pytest.fixture(scope="class")
    def of_class(self):
        yield
        count("class has ended")

    def test_fails(self, module, of_class): assert count("fails") != 3

    def test_fails_late(self, fails_late, of_class): pass

def test_after(module):
    assert (module, runs["class has ended"]) == (1, 1)
    assert count("after") < 4
""")
    result = pytester.runpytest("--twin-repeat=until-fail")
    result.assert_outcomes(failed=2, passed=1, errors=1)
    for line in ("failed 1 of 3: *::test_fails", "failed 1 of 2: *::test_fails_late", "failed 1 of 4: *::test_after"):
        result.stdout.fnmatch_lines([line])
    assert [outcome for name, _, outcome in rows(left) if name == "test_fails_late"] == ["passed", "error"]


def test_skips_end_the_runs_and_expected_failures_are_none(pytester, left):
    pytester.makepyfile(f"""{COUNTED}
@pytest.mark.skip
def test_skipped(): pass

def test_skips_itself(): pytest.skip("here")

def test_skips_later():
    if count("later") == 3: pytest.skip("now")

@pytest.mark.xfail
def test_fails(): assert count("fails") == 2

@pytest.mark.xfail(strict=True)
def test_is_strict(): assert count("strict") == 2
""")
    result = pytester.runpytest("--twin-repeat=3")
    result.assert_outcomes(skipped=2, passed=1, xfailed=1, failed=1)
    result.stdout.fnmatch_lines(["failed 1 of 3: *::test_is_strict", "passed 3 of 3: 2 tests"])
    assert [attempt for name, attempt, _ in rows(left) if name.startswith("test_skip")] == [1, 1, 1, 2, 3]
    assert [outcome for name, _, outcome in rows(left) if name == "test_fails"] == ["xfailed", "xpassed", "xfailed"]


def test_a_broken_set_up_and_a_doctest_have_the_result_as_well(pytester):
    pytester.makepyfile(f"""{COUNTED}
def times():
    '''
    >>> count("doc") % 2
    1
    '''

@pytest.fixture
def broken(): raise OSError("no device")

def test_it(broken): pass
""")
    result = pytester.runpytest("--doctest-modules", "--twin-repeat=4")
    result.assert_outcomes(failed=1, errors=1)
    result.stdout.fnmatch_lines(
        [
            "Expected:", "    1", "Got:", "    0", "failed 2 of 4, first in run 2", "   2 x *: DocTestFailure",
            "FAILED *times - failed 2 of 4: *: DocTestFailure", "ERROR *test_it - failed 4 of 4: OSError: no device",
        ]
    )  # fmt: skip


def test_one_failure_is_one_for_the_limit_of_failures(pytester, left):
    pytester.makepyfile(f"""{COUNTED}
def test_one(): assert count("one") > 5

def test_two(): pass

def test_three(): assert False

def test_four(): pass
""")
    result = pytester.runpytest("--twin-repeat=6", "--maxfail=2")
    result.assert_outcomes(failed=2, passed=1)
    assert {name for name, *_ in rows(left)} == {"test_one", "test_two", "test_three"}


@pytest.mark.slow
def test_an_interrupt_tells_how_many_runs_there_were_and_what_failed(pytester, left):
    pytester.makepyfile(f"""{COUNTED}
def test_it():
    if count("it") == 5: raise KeyboardInterrupt
    assert runs["it"] != 2, "second"
""")
    result = pytester.runpytest_subprocess("--twin-repeat=9", "-p", "no:xdist")
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(
        ["E * AssertionError: second", "interrupted after 4 of 9, of which 1 failed: *::test_it", "FAILED *second*"]
    )
    assert [outcome for _, _, outcome in rows(left)] == ["passed", "failed", "passed", "passed", "interrupted"]


@pytest.mark.slow
def test_the_limit_of_pytest_timeout_is_for_each_run(pytester):
    pytest.importorskip("pytest_timeout")
    pytester.makepyfile(f"""{COUNTED}
def test_it():
    if count("it") in (1, 3): time.sleep(60)
""")
    result = pytester.runpytest_subprocess("--twin-repeat=4", "--timeout=4", "--timeout-method=thread" if
                                           sys.platform == "win32" else "--timeout-method=signal")  # fmt: skip
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["failed 2 of 4, first in run 1", "failed 2 of 4: *::test_it"])


def test_reruns_of_another_plugin_do_not_hide_a_failure(pytester):
    pytest.importorskip("pytest_rerunfailures")
    pytester.makepyfile(f"""{COUNTED}
@pytest.mark.flaky(reruns=3)
def test_it(): assert count("it") != 2
""")
    result = pytester.runpytest_subprocess("--twin-repeat=4", "-p", "no:xdist")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["failed 1 of 4: *::test_it"])


def test_async_tests_are_run_again(pytester):
    pytest.importorskip("pytest_asyncio")
    pytester.makepyfile(f"""{COUNTED}
import asyncio

class TestIt:
    @pytest.mark.asyncio
    async def test_it(self):
        await asyncio.sleep(0)
        assert count("it") != 2
""")
    pytester.makeini("[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    result = pytester.runpytest_subprocess("--twin-repeat=3", "-p", "no:xdist")
    result.stdout.fnmatch_lines(["failed 1 of 3: *::test_it"])


def test_failed_subtests_of_one_run_do_not_fail_the_next(pytester):
    pytest.importorskip("_pytest.subtests", reason="pytest 9 has subtests of its own")
    pytester.makepyfile(f"""{COUNTED}
def test_it(subtests):
    number = count("it")
    with subtests.test("part"):
        assert number != 1
""")
    result = pytester.runpytest("--twin-repeat=3")
    result.stdout.fnmatch_lines(["failed 1 of 3: *::test_it"])


def test_a_budget_is_judged_in_each_run_and_only_failures_and_the_last_run_have_folders(pytester, left):
    pytester.makepyfile(f"""{COUNTED}
@pytest.mark.twin_budget(cpu_seconds=0.5)
def test_it():
    until = time.process_time() + (0.6 if count("it") == 2 else 0)
    while time.process_time() < until: pass
""")
    result = pytester.runpytest("--twin-repeat=4")
    result.stdout.fnmatch_lines(["*over budget: cpu_seconds*", "failed 1 of 4: *::test_it"])
    assert [row["budget"].split()[0] for row in left.tests] == ["ok", "cpu_seconds", "ok", "ok"]
    assert [bool(row["folder"]) for row in left.tests] == [False, True, False, True]


@pytest.mark.skipif(sys.platform == "win32", reason="a fork")
def test_a_forked_test_is_forked_for_each_run(pytester, left):
    pytest.importorskip("pytest_forked")
    pytester.makepyfile("""
import os, signal

def test_dies():
    if os.path.exists("here"):
        os.kill(os.getpid(), signal.SIGKILL)
    os.mkdir("here")
""")
    result = pytester.runpytest_subprocess("--forked", "-p", "no:faulthandler", "-p", "no:xdist", "--twin-repeat=3")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["   2 x *CRASHED with signal 9*", "failed [23] of 3: *::test_dies"])  # 1.7.5 fails
    # every test of pytest 9.2
    assert rows(left) == [("test_dies", 1, "passed"), ("test_dies", 2, "crashed"), ("test_dies", 3, "crashed")]


@pytest.mark.slow
def test_workers_of_xdist_report_each_test_once_as_well(pytester, left):
    pytester.makepyfile(f"""{COUNTED}
@pytest.mark.parametrize("number", range(4))
def test_it(number): assert number != 3 or count(number) != 2
""")
    result = pytester.runpytest("-n2", "--twin-repeat=3")
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["failed 1 of 3: *3[]]", "passed 3 of 3: 3 tests", "FAILED * - failed 1 of 3: *"])
    assert len(left.tests) == 12


@pytest.mark.parametrize("times", ["0", "-1", "2.5", "often", "10000000"])
def test_times_that_are_none_are_refused(pytester, times):
    result = pytester.runpytest(f"--twin-repeat={times}")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [f"ERROR: --twin-repeat: '{times}' is neither a whole number from 1 to 1000000 nor until-fail"]
    )


def test_without_the_option_nothing_of_it_is_imported(pytester):
    pytester.makepyfile("import sys\ndef test_it(): assert 'pytest_twin.plugin.repeat_hooks' not in sys.modules")
    pytester.runpytest_subprocess("--twin", "-p", "no:xdist").assert_outcomes(passed=1)
