"""What the markers of a test ask for is parsed once, when it is collected, however often the test is run."""

from __future__ import annotations

import json

import pytest

COUNTS = """
    import collections, json, os, pathlib
    import pytest_twin.analysis.budgets.parser as budgets
    import pytest_twin.run_folder.schedule_file as schedules
    import pytest_twin.loads.validation as loads

    counts = collections.Counter()

    def count(module, name, text):
        function = getattr(module, name)

        def counted(first, *args):
            counts[name, text(first)] += 1
            return function(first, *args)

        setattr(module, name, counted)

    count(loads, "read_load", str)
    count(schedules, "open_schedule", lambda path: path.name)
    count(budgets, "parse", lambda _: "")

    def pytest_unconfigure(config):
        if hasattr(config, "workerinput") or getattr(config.option, "dist", "no") == "no":
            lines = [[*key, times] for key, times in sorted(counts.items())]
            pathlib.Path("counts.json").write_text(json.dumps(lines))
"""
SUITE = """
    import pytest

    @pytest.mark.stress(mem="3MiB")
    @pytest.mark.twin_schedule("plan.json")
    @pytest.mark.twin_budget(p50=60, repeats=6)
    def test_it(twin_logger, stress_load): pass
"""
ONCE = [["open_schedule", "plan.json", 1], ["parse", "", 1], ["read_load", "{'mem': '3MiB'}", 1]]


@pytest.fixture
def counts(pytester):
    """Returns how often each marker was parsed and each schedule was read in the process that ran the tests."""
    pytester.makeconftest(COUNTS)
    pytester.makefile(".json", plan=json.dumps({"events": [{"duration": "100ms", "mem": "2MiB"}]}))
    return lambda: json.loads((pytester.path / "counts.json").read_text())


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--twin"], ["--twin", "-n1", "--dist=load"]], ids=["alone", "worker"])
def test_a_test_that_is_repeated_is_parsed_once(pytester, left, counts, few_plugins, options):
    if "-n1" in options:
        pytest.importorskip("xdist")
    pytester.makepyfile(SUITE)
    pytester.runpytest_subprocess(*options).assert_outcomes(passed=1)
    assert len(left.tests) == 8  # a warm-up, six repetitions, and the run that is reported
    assert {row["load"].split()[-1] for row in left.tests} == {"mem=3MiB"}
    assert counts() == ONCE


def test_a_test_that_is_run_again_by_a_plugin_is_parsed_once(pytester, left, counts):
    pytest.importorskip("pytest_rerunfailures")
    pytester.makepyfile(SUITE.replace("@pytest.mark.twin_budget(p50=60, repeats=6)", "").replace("pass", "assert 0"))
    pytester.runpytest_subprocess("--twin", "--reruns=2", "-p", "no:cacheprovider")
    assert [row["attempt"] for row in left.tests] == ["1", "2", "3"]
    assert counts() == [["open_schedule", "plan.json", 1], ["read_load", "{'mem': '3MiB'}", 1]]


@pytest.mark.slow
def test_a_test_that_is_profiled_is_parsed_once(pytester, counts):
    pytester.makepyfile(SUITE.replace("@pytest.mark.twin_budget(p50=60, repeats=6)", ""))
    pytester.runpytest_subprocess("--twin-profile", "--twin-profile-time=5s").assert_outcomes(passed=1)
    of_marks = [each for each in counts() if each[:2] in (ONCE[0][:2], ONCE[2][:2])]
    assert of_marks == [ONCE[0], ONCE[2]]
