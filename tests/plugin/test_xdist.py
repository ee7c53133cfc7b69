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
