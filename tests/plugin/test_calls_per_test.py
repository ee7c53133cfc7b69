"""The number of Python calls of pytest-twin beside each test: time is noisy, and the calls are most of the cost."""

from __future__ import annotations

import json
import sys

import pytest

COUNTS = """
    import json, os, pathlib, sys
    import pytest, pytest_twin
    from pytest_twin.telemetry import process_counters

    NEWEST = pathlib.Path("newest")  # in the place of the kernel's file, which other programs of this machine change
    NEWEST.write_text("1")
    RealFile = process_counters.ReopeningProcFile

    def open_file(path, *rest):
        return RealFile("newest" if path.endswith("ns_last_pid") else path, *rest)

    process_counters.ReopeningProcFile = open_file
    OURS = os.path.dirname(pytest_twin.__file__) + os.sep
    calls, tests = [0], []

    def count(frame, event, _):
        calls[0] += event == "call" and frame.f_code.co_filename.startswith(OURS)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logstart():
        tests.append(calls[0])
        sys.setprofile(count)

    def pytest_unconfigure(config):
        sys.setprofile(None)
        worker = getattr(config, "workerinput", {}).get("workerid", "")
        counts = [late - early for early, late in zip(tests, tests[1:])]
        pathlib.Path(f"counts{worker}.json").write_text(json.dumps(counts))
"""
BUDGET = '[[tool.pytest-twin.budgets]]\nduration = "60s"\n'
PASSING = "import pytest\n@pytest.mark.parametrize('number', range(30))\ndef test_it(number): pass\n"
STARTING = PASSING.replace("pass\n", "open('newest', 'w').write(str(number))\n")  # as if another program were started


@pytest.fixture
def calls(pytester, few_plugins):
    """Runs trivial tests, and returns the median of the Python calls of pytest-twin between the starts of two."""

    def run(tests: str, *options: str, worker: str = "") -> int:
        pytester.makeconftest(COUNTS)
        pytester.makepyfile(tests)
        pytester.runpytest_subprocess("-p", "no:cacheprovider", *options).assert_outcomes(passed=30)
        counts = sorted(json.loads((pytester.path / f"counts{worker}.json").read_text()))
        return counts[len(counts) // 2]

    return run


@pytest.mark.skipif(sys.platform != "linux", reason="other platforms have fewer counters")
@pytest.mark.parametrize(
    ("tests", "budget", "most"),
    [
        (PASSING, "", 88),
        (PASSING, BUDGET, 112),
        (STARTING, "", 130),  # children are looked for, twice where a test takes longer than 10 ms
    ],
    ids=["recorded", "with a budget of duration", "while programs are started"],
)
def test_a_recorded_test_makes_few_calls(pytester, calls, tests, budget, most):
    pytester.makepyprojecttoml(f"[tool.pytest.ini_options]\n{budget}")
    assert 20 < calls(tests, "--twin") <= most


def test_an_unused_plugin_makes_no_call_for_a_test(calls):
    assert calls(PASSING) == 0


@pytest.mark.parametrize(("worker", "most"), [("", 22), ("gw0", 110)], ids=["controller", "worker"])
def test_a_test_that_is_recorded_in_a_worker_makes_few_calls_in_each_process(calls, worker, most):
    assert 5 < calls(PASSING, "--twin", "-n", "1", worker=worker) <= most
