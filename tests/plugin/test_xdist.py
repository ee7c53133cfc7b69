"""Under pytest-xdist: one sampler, each worker's events in one table."""

from __future__ import annotations

import pytest

pytest.importorskip("xdist")


@pytest.fixture(autouse=True)
def few_plugins(monkeypatch):
    """Each worker imports all plugins that it is not told to leave out."""
    monkeypatch.setenv("PYTEST_ADDOPTS", "-p no:hypothesispytest -p no:asyncio -p no:anyio")


SUITE = """
    import time, pytest

    @pytest.mark.stress(cpu=1)
    def test_marked(): time.sleep(0.3)

    @pytest.mark.parametrize("number", range(4))
    def test_plain(number, twin_logger):
        twin_logger.annotate(f"note {number}")
        time.sleep(0.1)
"""


def test_workers_and_no_workers_give_the_same_tables(pytester, left):
    pytester.makepyfile(SUITE)
    tables = []
    for count in ("0", "2"):
        pytester.runpytest_subprocess("-n", count).assert_outcomes(passed=5)
        tests = sorted((row["nodeid"], row["outcome"], row["load"]) for row in left.tests)
        events = sorted((row["event"], row["type"], row["test"], row["target"]) for row in left.events)
        tables.append((tests, events))
        assert {bool(row["worker"]) for row in left.tests} == {count == "2"}
    assert tables[0] == tables[1]
    assert left.samples
    assert list(left.folder.glob("*.part-*.csv")) == []


def test_a_schedule_is_played_once_by_the_controller(pytester, left):
    pytester.makefile(".json", plan='{"events": [{"duration": "600ms", "cpu": 1}]}')
    pytester.makepyfile(SUITE)
    pytester.runpytest_subprocess("-n", "2", "-k", "plain", "--twin-schedule=plan.json").assert_outcomes(passed=4)
    assert left.loads("end") == [("cpu", "1")]
    assert [row["worker"] for row in left.events if row["target"]] == ["", ""]


def test_workers_that_ask_for_nothing_record_nothing(pytester):
    pytester.makepyfile("def test_it(): pass")
    pytester.runpytest_subprocess("-n", "2").assert_outcomes(passed=1)
    assert not (pytester.path / "twin-report").exists()


def test_a_wrong_mark_fails_the_run_with_its_message(pytester):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.stress(cpus=1)
        def test_it(): pass
    """)
    result = pytester.runpytest_subprocess("-n", "2")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stdout.fnmatch_lines(['ERROR: *::test_it: stress: unknown keyword "cpus"; did you mean "cpu"?'])


def overlaps(left, nodeid: str) -> list[str]:
    """The tests that ran at the same time as this one."""
    spans = {}
    for row in left.tests:
        began = float(row["elapsed_s"])
        spans[row["nodeid"]] = began, began + float(row["duration_s"])
    began, ended = spans.pop(nodeid)
    return [other for other, (begin, end) in spans.items() if begin < ended and end > began]


@pytest.mark.parametrize("asks", ["stress(cpu=1)", "twin_schedule('plan.json')"])
def test_a_stressed_test_runs_alone(pytester, left, asks):
    pytester.makefile(".json", plan='{"events": [{"duration": "100ms", "cpu": 1}]}')
    pytester.makepyfile(f"""
        import pytest, time

        @pytest.mark.parametrize("number", range(6))
        def test_plain(number): time.sleep(0.1)

        @pytest.mark.{asks}
        def test_stressed(): time.sleep(0.3)
    """)
    pytester.runpytest_subprocess("-n", "2", "--twin").assert_outcomes(passed=7)
    assert overlaps(left, "test_a_stressed_test_runs_alone.py::test_stressed") == []
    assert list(left.folder.glob(".*.lock")) == []


def test_a_shared_stressed_test_does_not_wait(pytester, left):
    pytester.makepyfile("""
        import pytest, time

        @pytest.mark.stress(cpu=1, shared=True)
        @pytest.mark.parametrize("number", range(2))
        def test_stressed(number): time.sleep(2)
    """)
    pytester.runpytest_subprocess("-n", "2").assert_outcomes(passed=2)
    name = "test_a_shared_stressed_test_does_not_wait.py::test_stressed"
    assert overlaps(left, f"{name}[0]") == [f"{name}[1]"]


@pytest.mark.fault("xdist")
def test_a_worker_that_dies_alone_in_the_room_holds_up_nobody(pytester):
    pytester.makepyfile("""
        import os, pytest, time

        @pytest.mark.stress(cpu=1)
        def test_dies(): os._exit(3)

        @pytest.mark.stress(cpu=1)
        @pytest.mark.parametrize("number", range(3))
        def test_stressed(number): time.sleep(0.1)
    """)
    result = pytester.runpytest_subprocess("-n", "2")
    result.assert_outcomes(failed=1, passed=3)
