"""Workers of pytest-xdist that die, are replaced, or are stopped: what they had begun stands in the tables, ended."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest

pytest.importorskip("xdist")
pytestmark = [pytest.mark.usefixtures("few_plugins"), pytest.mark.fault("xdist")]
posix = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

DIES = """
    import os, signal, pytest, time

    @pytest.mark.parametrize("number", range(3))
    def test_before(number, twin_logger): twin_logger.annotate(f"note {{number}}")

    @pytest.mark.stress(cpu=1)
    def test_dies(twin_logger):
        with twin_logger.phase("the last"):
            {death}

    @pytest.mark.parametrize("number", range(3))
    def test_after(number): pass
"""


@posix
@pytest.mark.parametrize(
    "death", ["os._exit(3)", pytest.param("os.kill(os.getpid(), signal.SIGSEGV)", marks=pytest.mark.slow)]
)
def test_a_crashed_worker_keeps_its_events_and_those_of_the_test_it_died_in(pytester, left, death):
    pytester.makepyfile(DIES.format(death=death))
    pytester.runpytest_subprocess("-n", "1", "--twin").assert_outcomes(passed=6, failed=1)
    outcomes = {row["nodeid"].partition("::")[2]: row["outcome"] for row in left.tests}
    assert outcomes.pop("test_dies") == "crashed"
    assert set(outcomes.values()) == {"passed"}
    assert len(outcomes) == 6
    assert sum(row["event"] == "note" for row in left.events) == 3
    (row,) = [row for row in left.tests if row["outcome"] == "crashed"]
    assert (row["attempt"], row["worker"], row["load"], row["cpu_user_s"]) == ("1", "gw0", "cpu=1", "")
    assert (left.folder / row["folder"] / "system_metrics_dataset.csv").exists()
    open_ends = [(each["event"], each["type"]) for each in left.events if each["test"] == row["nodeid"]]
    assert open_ends[:3] == [("start", "test"), ("start", "cpu"), ("start", "phase")]
    assert open_ends[3:] == [("abort", "phase"), ("abort", "cpu"), ("abort", "test")]
    (load,) = [each for each in left.events if (each["event"], each["type"]) == ("abort", "cpu")]
    assert json.loads(load["detail"])["reason"] == "its process crashed"
    assert {each["worker"] for each in left.own_events} == {"gw0", "gw1"}  # the second in place of the first
    assert list(left.folder.glob("*.part-*")) == []


@pytest.mark.slow
def test_a_worker_that_dies_at_once_loses_nothing_of_the_others(pytester, left):
    pytester.makepyfile("""
        import os, pytest

        @pytest.mark.stress(cpu=1)
        @pytest.mark.parametrize("number", range(4))
        def test_it(number): pass
    """)
    pytester.makeconftest("""
        import os, pytest, time
        from pathlib import Path

        @pytest.hookimpl(wrapper=True, tryfirst=True)
        def pytest_collection_finish(session):
            worker, until = os.environ.get("PYTEST_XDIST_WORKER"), time.monotonic() + 60
            while worker == "gw1" and not Path("gw0-has-told").exists() and time.monotonic() < until:
                time.sleep(0.01)
            if worker == "gw1":
                os._exit(3)
            yield  # here pytest-xdist tells the controller
            Path(f"{worker}-has-told").touch()
    """)
    result = pytester.runpytest_subprocess("-n", "2")
    assert result.parseoutcomes()["passed"] == 4
    assert len(left.tests) == 4
    starts = [row for row in left.events if (row["event"], row["type"]) == ("start", "test")]
    assert len(starts) == 4


@pytest.mark.slow
def test_a_test_that_is_run_again_in_another_worker_is_another_attempt(pytester, left):
    pytester.makeconftest("""
        def pytest_handlecrashitem(crashitem, report, sched):
            if "mark_test_pending" in dir(sched): sched.mark_test_pending(crashitem)
    """)
    pytester.makepyfile("""
        import os, pytest
        from pathlib import Path

        @pytest.mark.stress(cpu=1)
        def test_dies_once():
            if not Path("died").exists():
                Path("died").touch()
                os._exit(3)
    """)
    pytester.runpytest_subprocess("-n", "1")
    assert [(row["attempt"], row["worker"], row["outcome"]) for row in left.tests] == [
        ("1", "gw0", "crashed"),
        ("2", "gw1", "passed"),
    ]
    folders = [row["folder"] for row in left.tests]
    assert len(set(folders)) == 2
    assert all((left.folder / folder / "annotations.csv").exists() for folder in folders)


SLEEPS = """
    import time, pytest
    from pathlib import Path

    @pytest.fixture
    def slow_to_tidy():
        yield
        Path("tidied").touch()

    @pytest.mark.stress(cpu=1, shared=True)
    @pytest.mark.parametrize("number", range(2))
    def test_sleeps(number, slow_to_tidy):
        Path(f"there-{number}").touch()
        time.sleep(600)
"""


@posix
@pytest.mark.parametrize(
    ("count", "to"),
    [
        ("0", "pid"),
        ("2", "group"),
        *(pytest.param(*each, marks=pytest.mark.slow) for each in [("0", "group"), ("2", "pid")]),
    ],
)
def test_an_interrupted_run_tells_which_tests_it_was_in(pytester, left, eventually, count, to):
    pytester.makepyfile(SLEEPS)
    command = [sys.executable, "-m", "pytest", "-n", count]
    with subprocess.Popen(command, cwd=pytester.path, stdout=-1, stderr=-2, start_new_session=True) as process:
        eventually(lambda: len(list(pytester.path.glob("there-*"))) == max(1, int(count)), 60)
        (os.killpg if to == "group" else os.kill)(process.pid, signal.SIGINT)
        process.communicate(timeout=60)
    assert [row["outcome"] for row in left.tests] == ["interrupted"] * max(1, int(count))
    ends = [row["event"] for row in left.events if row["type"] in {"test", "cpu"} and row["event"] != "start"]
    assert len(ends) == 2 * max(1, int(count))


@pytest.mark.slow
def test_each_worker_has_folders_of_its_own_where_each_runs_all_tests(pytester, left):
    pytester.makepyfile("""
        import pytest

        @pytest.mark.stress(cpu=1)
        def test_it(twin_logger): twin_logger.annotate("here")
    """)
    pytester.runpytest_subprocess("--dist=each", "--tx=2*popen").assert_outcomes(passed=2)
    assert {(row["worker"], row["attempt"]) for row in left.tests} == {("gw0", "1"), ("gw1", "1")}
    assert len({row["folder"] for row in left.tests}) == 2
    assert all((left.folder / row["folder"] / "system_metrics_dataset.csv").exists() for row in left.tests)
