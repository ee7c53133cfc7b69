"""Tests that fail for what they cost."""

from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ET

import pytest

linux = pytest.mark.skipif(sys.platform != "linux", reason="what the kernel tells of memory, disks and children")

BURN = """
import pytest, time

def burn(seconds):
    until = time.process_time() + seconds
    while time.process_time() < until: pass

budget = pytest.mark.twin_budget
"""


def over(left) -> dict[str, str]:
    """The verdicts by test."""
    return {row["nodeid"].rpartition("::")[2]: row["budget"] for row in left.tests}


def test_a_test_over_budget_fails_and_says_what_it_spent_and_where_to_look(pytester, left):
    pytester.makepyfile(f"""{BURN}
@budget(cpu_seconds=0.01, duration="10s")
def test_over(): burn(0.02)

@budget(cpu_seconds=10)
def test_within(): pass

def test_without(twin_logger): pass
""")
    result = pytester.runpytest()
    result.assert_outcomes(failed=1, passed=2)
    result.stdout.re_match_lines(
        [
            r"_+ test_over _+",
            r"over budget: cpu_seconds \d\d+ ms exceeds the limit of 10 ms",
            r"see twin-report.tests..*test_over-[0-9a-f]{10}",
        ]
    )
    verdicts = over(left)
    assert verdicts["test_over"].startswith("cpu_seconds 0.")
    assert verdicts["test_over"].endswith(" s > 0.01 s")
    assert (verdicts["test_within"], verdicts["test_without"]) == ("ok", "")
    assert {row["nodeid"].rpartition("::")[2]: row["outcome"] for row in left.tests}["test_over"] == "failed"


def test_what_fixtures_spend_is_not_charged_to_the_test(pytester):
    pytester.makepyfile(f"""{BURN}
@pytest.fixture
def dear():
    burn(0.3)
    yield
    burn(0.3)

@budget(cpu_seconds=0.28)
def test_it(dear): pass
""")
    pytester.runpytest().assert_outcomes(passed=1)


def test_the_closer_mark_counts_limit_by_limit(pytester, left):
    pytester.makepyfile(f"""{BURN}
pytestmark = budget(cpu_seconds=0, duration=100)

@budget(cpu_seconds=100)
class TestIt:
    def test_class(self): pass

    @budget(cpu_seconds=None, duration=0)
    def test_function(self): pass

def test_module(): burn(0.001)
""")
    pytester.runpytest().assert_outcomes(passed=1, failed=2)
    verdicts = over(left)
    assert verdicts["test_class"] == "ok"
    assert verdicts["test_function"].startswith("duration ")
    assert ";" not in verdicts["test_function"]
    assert verdicts["test_module"].startswith("cpu_seconds ")


def test_a_test_that_fails_anyway_keeps_its_own_failure(pytester, left):
    pytester.makepyfile(f"""{BURN}
import unittest

@budget(duration=0)
def test_plain(): assert "its own" == "failure"

class TestCase(unittest.TestCase):
    @budget(duration=0)
    def test_case(self): self.fail("another failure")
""")
    result = pytester.runpytest()
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*AssertionError: assert 'its own' == 'failure'*", "*AssertionError: another failure"])
    result.stdout.no_fnmatch_line("*over budget*")
    assert all(verdict.startswith("duration ") for verdict in over(left).values())


def test_unittest_async_and_expected_failures_are_judged_too(pytester):
    pytester.makepyfile(f"""{BURN}
import unittest

class TestCase(unittest.TestCase):
    @budget(duration=0)
    def test_case(self): pass

@budget(duration=0)
@pytest.mark.asyncio
async def test_async(): pass

@budget(duration=0)
@pytest.mark.xfail
def test_expected(): pass
""")
    pytester.runpytest().assert_outcomes(failed=2, xfailed=1)


@linux
def test_memory_that_was_there_before_is_not_growth(pytester, left):
    pytester.makepyfile(f"""{BURN}
def fill(count):
    large = bytearray(count << 20)
    large[::4096] = b"1" * len(range(0, len(large), 4096))
    return large

@pytest.fixture
def large(): return fill(64)

@budget(memory_growth="20MiB", peak_memory="4GiB")
def test_before(large): pass

@budget(memory_growth="20MiB")
def test_for_a_moment(): fill(64)
""")
    pytester.runpytest().assert_outcomes(passed=1, failed=1)
    assert over(left)["test_for_a_moment"].startswith("memory_growth 6")
    peaks = [float(row["peak_memory_MB"]) for row in left.tests]
    assert peaks[0] == pytest.approx(peaks[1], abs=20)  # the row has the whole attempt, its set-up too


@linux
def test_no_child_at_all_is_a_budget_that_even_the_shortest_child_is_over(pytester, left, categories):
    pytester.makepyfile(f"""{BURN}
import os, subprocess, sys
pytestmark = budget(children=0)

def test_none(): os.stat(".")

def test_forked():
    child = os.fork()
    if not child: os._exit(0)
    os.waitpid(child, 0)

def test_program(): subprocess.run(["true"], check=True)

def test_left_running():
    global left
    left = subprocess.Popen(["sleep", "60"])

def test_that_only_ends_one():
    left.kill()
    left.wait()

def test_none_again(stress_cpu): stress_cpu(1)
""")
    of_threads = "ignore::DeprecationWarning"  # of which Python warns from 3.12 on where a test forks
    result = pytester.runpytest("-W", "default", "-W", of_threads)
    result.assert_outcomes(passed=3, failed=3, warnings=1)
    result.stdout.fnmatch_lines(
        ["*budget: children is unknown: a child process from before the test ended during the test"]
    )
    assert categories(result) == ["TwinWarning"]
    assert over(left) == {
        "test_none": "ok",
        "test_forked": "children > 0",
        "test_program": "children > 0",
        "test_left_running": "children > 0",
        "test_that_only_ends_one": "children unknown",
        "test_none_again": "ok",
    }


def test_the_load_that_it_ran_under_is_told(pytester):
    pytester.makepyfile(f"""{BURN}
@pytest.mark.stress(mem="5MiB")
@budget(duration=0)
def test_it(): pass
""")
    result = pytester.runpytest()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["over budget: duration *s exceeds the limit of 0 s", "under mem=5MiB (achieved 5.0MiB)"]
    )


def test_the_verdict_is_in_the_junit_report_as_a_failure(pytester):
    pytester.makepyfile(f"""{BURN}
@budget(duration=0)
def test_it(): pass
""")
    pytester.runpytest("--junitxml=junit.xml", "-x").assert_outcomes(failed=1)
    suite = ET.parse(pytester.path / "junit.xml").getroot()[0]  # noqa: S314 - we wrote it
    assert (suite.get("failures"), suite.get("errors")) == ("1", "0")
    properties = {each.get("name"): each.get("value") for each in suite.iter("property")}
    assert properties["twin_budget"].startswith("duration ")


@pytest.mark.slow
def test_workers_of_xdist_judge_as_well(pytester, left):
    pytester.makepyfile(f"""{BURN}
@budget(duration=0)
def test_over(): pass

@budget(duration=100)
def test_within(): pass
""")
    result = pytester.runpytest("-n1")
    result.assert_outcomes(failed=1, passed=1)
    result.stdout.fnmatch_lines(["over budget: duration *s exceeds the limit of 0 s"])
    assert over(left)["test_within"] == "ok"


def test_a_test_that_is_run_again_is_judged_again(pytester, left):
    pytest.importorskip("pytest_rerunfailures")
    pytester.makepyfile(f"""{BURN}
times = []

@budget(cpu_seconds=0.2)
def test_it():
    times.append(1)
    if len(times) == 1: burn(0.3)
""")
    pytester.runpytest("--reruns=1").assert_outcomes(passed=1)
    assert [row["budget"] == "ok" for row in left.tests] == [False, True]


def test_every_wrong_budget_is_told_before_any_test_runs(pytester):
    pytester.makepyfile(f"""{BURN}
@budget(cpu_second=2, duration="soon")
def test_wrong(): open("it-ran", "w").close()

@budget(2)
def test_positional(): pass

@budget
def test_bare(): pass

@budget(slowdown=2)
def test_half(): pass
""")
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            'ERROR: *::test_wrong: twin_budget: unknown keyword "cpu_second"; did you mean "cpu_seconds"?',
            "*::test_wrong: twin_budget(duration): 'soon' is not a duration; write seconds, or text such as *",
            "*::test_positional: twin_budget: 2 has no keyword; write twin_budget(cpu_seconds=2)",
            "*::test_bare: twin_budget: has no keyword; write twin_budget(cpu_seconds=2)",
            '*::test_half: twin_budget(slowdown): needs under=, the load that may cause it, such as under="cpu=75%"',
        ]
    )
    assert not (pytester.path / "it-ran").exists()


def test_budgets_of_the_configuration_are_for_the_tests_that_they_select(pytester, left):
    pytester.makepyprojecttoml("""
[tool.pytest.ini_options]
markers = ["slow", "db"]

[[tool.pytest-twin.budgets]]
mark = "slow and not db"
duration = 0

[[tool.pytest-twin.budgets]]
path = "test_budgets_of_*::test_by_path"
duration = 0
""")
    pytester.makepyfile(f"""{BURN}
@pytest.mark.slow
def test_slow(): pass

@pytest.mark.slow
@budget(duration=100)
def test_that_says_otherwise(): pass

@pytest.mark.slow
@pytest.mark.db
def test_slow_and_db(): pass

def test_by_path(): pass
""")
    pytester.runpytest().assert_outcomes(failed=2, passed=2)
    verdicts = over(left)
    assert verdicts["test_slow"].startswith("duration ")
    assert verdicts["test_by_path"].startswith("duration ")
    assert (verdicts["test_slow_and_db"], verdicts["test_that_says_otherwise"]) == ("", "ok")


def test_every_wrong_budget_of_the_configuration_is_told_before_any_test_is_collected(pytester):
    pytester.makepyprojecttoml("""
[[tool.pytest-twin.budgets]]
mark = "slow and"
durration = 1

[[tool.pytest-twin.budgets]]
peak_memory = 5
""")
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        [
            'ERROR: pyproject.toml: budgets[[]0[]]: unknown keyword "durration"; did you mean "duration"?',
            "pyproject.toml: budgets[[]0[]].mark: 'slow and' is not an expression of marks; write one such as *",
            'pyproject.toml: budgets[[]1[]].peak_memory: 5 is not a size; write one such as "200MiB"',
        ]
    )


def test_what_a_budget_of_the_configuration_lacks_at_its_tests_is_told_once_and_as_the_configurations(pytester):
    pytester.makepyprojecttoml("[[tool.pytest-twin.budgets]]\nslowdown = 2\n")
    pytester.makepyfile(f"""{BURN}
@budget(under="cpu=1")
def test_complete(): pass

def test_one(): pass

def test_two(): pass
""")
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    said = 'pyproject.toml: budgets: slowdown: needs under=, the load that may cause it, such as under="cpu=75%"'
    assert [line for line in result.errlines if line] == [f"ERROR: {said}"]


def test_budgets_that_are_no_list_of_tables_are_refused(pytester):
    pytester.makepyprojecttoml("[tool.pytest-twin]\nbudgets = 5\n")
    result = pytester.runpytest()
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(
        ["ERROR: pyproject.toml: [[]tool.pytest-twin[]]: budgets is not a list of tables; write *"]
    )


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel for all processes")
def test_the_cpu_of_children_is_unknown_where_one_of_them_left_a_process_behind(pytester, left):
    pytester.makepyfile("""
        import os, signal, subprocess, sys, pytest

        LEAVES = "import subprocess; print(subprocess.Popen(['sleep', '60'], stdout=subprocess.DEVNULL).pid)"

        @pytest.mark.twin_budget(children_cpu_seconds=50)
        def test_leaves_one():
            test_leaves_one.pid = int(subprocess.check_output([sys.executable, "-S", "-c", LEAVES]))

        @pytest.mark.twin_budget(children_cpu_seconds=50)
        def test_leaves_none():
            subprocess.check_output([sys.executable, "-S", "-c", ""])
            os.kill(test_leaves_one.pid, signal.SIGKILL)
    """)
    pytester.runpytest("-Wdefault").assert_outcomes(passed=2)
    assert [row["budget"] for row in left.tests] == ["children_cpu_seconds unknown", "ok"]


@pytest.mark.skipif(sys.platform != "linux", reason="asks the kernel for the accounts of ancestors")
def test_the_cpu_of_children_is_unknown_where_an_orphan_that_ended_may_have_used_too_much(pytester, left):
    pytester.makepyfile("""
        import os, subprocess, sys, time, pytest

        BURNS = "import time\\nwhile time.process_time() < 0.3: pass"
        ORPHANS = "import subprocess, sys; print(subprocess.Popen([sys.executable, '-S', '-c', sys.argv[1]]).pid)"

        def leave_one():  # the pipe ends when the orphan does
            pid = int(subprocess.check_output([sys.executable, "-S", "-c", ORPHANS, BURNS]))
            until = time.monotonic() + 60
            while state(pid) not in ("", "Z"):
                assert time.monotonic() < until
                time.sleep(0.01)

        def state(pid):
            try:
                with open(f"/proc/{pid}/stat") as file:
                    return file.read().rpartition(")")[2].split()[0]
            except OSError:
                return ""

        @pytest.mark.twin_budget(children_cpu_seconds=0.2)
        def test_may_be_over():
            leave_one()

        @pytest.mark.twin_budget(children_cpu_seconds=500)
        def test_is_within_in_any_case():
            leave_one()
    """)
    pytester.runpytest("-Wdefault").assert_outcomes(passed=2)
    assert [row["budget"] for row in left.tests] == ["children_cpu_seconds unknown", "ok"]


@pytest.mark.parametrize("workers", [(), ("-n2",)], ids=["alone", "xdist"])
def test_what_a_kept_budget_measured_is_told_once(pytester, workers):
    if workers:
        pytest.importorskip("xdist")
    pytester.makepyfile("""
        import pytest

        @pytest.mark.twin_budget(p50="60s", repeats=10)
        def test_it(): pass

        @pytest.mark.twin_budget(duration="60s")
        def test_single(): pass
    """)
    result = pytester.runpytest_subprocess(*workers)
    result.assert_outcomes(passed=2)
    lines = result.outlines
    at = lines.index("within budget, as measured in repetitions")
    assert re.fullmatch(r" +test_what_a_kept_\w+\.py::test_it", lines[at + 1])
    assert re.match(r" {4}p50 .* is within the limit of", lines[at + 2])
    assert sum("is within the limit of" in line for line in lines) == 1
