"""A worker of pytest-xdist dies, or its controller: the loads go with it, and what was recorded stays."""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

import psutil
import pytest
from runs import GONE_WITHIN_S, endless, seconds_until

import pytest_twin
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import LOCK
from pytest_twin.run_folder.recovery import recover

pytest.importorskip("xdist")
pytestmark = [
    pytest.mark.fault("xdist"),
    pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc"),
]

LOADED = endless("cpu=1, mem='20MiB', shared=True", tests=200)


def is_below(worker: psutil.Process, process: psutil.Process) -> bool:
    """Whether a worker, or what it started, started a process; one that has ended meanwhile is nobody's."""
    try:
        return worker in process.parents()
    except psutil.NoSuchProcess:
        return False


@pytest.mark.parametrize(
    "roles",
    [("pytest",), ("worker",), pytest.param(("pytest", "worker"), marks=pytest.mark.slow)],
    ids=str,
)
def test_loads_end_at_once_and_what_was_recorded_stays(start, roles):
    run = start(LOADED, "-p", "xdist.plugin", "-n", "2", "--twin")
    seconds_until(lambda: run.ended() > 3)
    killed = run.processes(roles[-1])[0]
    ours = run.processes("stressor") + run.processes("supervisor")
    doomed = [each for each in ours if "pytest" in roles or is_below(killed, each)]
    assert doomed
    run.kill(*roles)
    seconds_until(lambda: not any(each in run.processes() for each in doomed), within=GONE_WITHIN_S)
    ended = run.ended()
    run.process.kill()
    seconds_until(lambda: not run.processes(), within=30)  # a worker ends when pytest-xdist lets it
    assert len(run.tests) >= ended - 2  # one each
    assert sum((row["event"], row["type"]) == ("end", "test") for row in run.events) >= ended - 2
    assert run.samples


LONG = """import pytest, time

@pytest.mark.parametrize("number", range(4))
@pytest.mark.stress(cpu=1, shared=True)
def test_loaded(number): time.sleep(60)
"""


@pytest.mark.slow
@pytest.mark.parametrize("whom", ["controller", "all"])
def test_an_interrupt_ends_the_loads_of_workers_also_if_only_the_controller_got_it(start, whom):
    run = start(LONG, "-p", "xdist.plugin", "-n", "2", "--twin")
    seconds_until(lambda: len(run.loads("start")) == 2)
    if whom == "controller":
        run.process.send_signal(signal.SIGINT)
    else:
        os.killpg(run.process.pid, signal.SIGINT)
    seconds_until(lambda: not run.processes("stressor"), within=4.5)  # by itself pytest-xdist lets workers go on for 5
    assert run.wait()[0] == pytest.ExitCode.INTERRUPTED
    assert run.processes() == []
    assert [row["outcome"] for row in run.tests] == ["interrupted"] * 2
    assert sorted(run.loads("start")) == sorted(run.loads("end") + run.loads("abort"))


def tables(run) -> list[str]:
    """What there is of tests and events, parts of workers included."""
    return sorted(path.name for kind in ("tests", "annotations") for path in run.report.glob(f"{kind}*.csv"))


def is_whole(run) -> bool:
    """Whether every test that began has a row, and all that began has ended."""
    started = [row["id"] for row in run.events if row["event"] == "start"]
    ended = [row["id"] for row in run.events if row["event"] in {"end", "abort"}]
    of_tests = [row for row in run.events if (row["event"], row["type"]) == ("start", "test")]
    return sorted(started) == sorted(ended) and len(run.tests) == len(of_tests)


@pytest.mark.slow
def test_of_a_run_that_is_killed_as_a_whole_the_sampler_completes_the_tables(start):
    """As a CI job does that ends, or that ran out of memory."""
    run = start(LOADED, "-p", "xdist.plugin", "-n", "2", "--twin")
    seconds_until(lambda: run.ended() > 3 and len(run.loads("start")) > 3)
    os.killpg(run.process.pid, signal.SIGKILL)
    seconds_until(lambda: not run.processes())
    assert tables(run) == ["annotations.csv", "tests.csv"]
    assert {row["outcome"] for row in run.tests} >= {"passed", "crashed"}
    assert {row["worker"] for row in run.tests} == {"gw0", "gw1"}
    assert is_whole(run)
    assert not (run.report / LOCK).exists()


@pytest.mark.slow
def test_where_the_sampler_is_killed_too_the_next_reader_completes_the_tables(start):
    run = start(LOADED, "-p", "xdist.plugin", "-n", "2", "--twin")
    seconds_until(lambda: run.ended() > 3 and len(run.loads("start")) > 3)
    recover(RunFolder(run.report))  # while it goes on
    assert len(tables(run)) == 6
    sampler = run.processes("sampler")
    os.kill(run.process.pid, signal.SIGSTOP)  # which would start another one
    for each in sampler:
        each.kill()
    os.killpg(run.process.pid, signal.SIGKILL)
    for each in run.processes():
        with suppress(psutil.NoSuchProcess):  # it ended meanwhile
            each.kill()
    seconds_until(lambda: not run.processes())
    assert len(tables(run)) == 6
    loaded = pytest_twin.load(run.report)
    assert tables(run) == ["annotations.csv", "tests.csv"]
    assert set(loaded.tests["outcome"]) >= {"passed", "crashed"}
    assert is_whole(run)
    before = run.tests
    pytest_twin.load(run.report)
    assert run.tests == before


@pytest.mark.slow
def test_tests_of_workers_that_lost_their_controller_have_a_row_each(start):
    run = start(LONG, "-p", "xdist.plugin", "-n", "2", "--twin")
    seconds_until(lambda: len(run.loads("start")) == 2)
    run.process.kill()
    seconds_until(lambda: not run.processes())
    assert tables(run) == ["annotations.csv", "tests.csv"]
    assert len(run.tests) == 2
    assert {row["outcome"] for row in run.tests} <= {"crashed", "interrupted"}
    assert is_whole(run)
