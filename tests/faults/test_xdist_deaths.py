"""A worker of pytest-xdist dies, or its controller: the loads go with it, and what was recorded stays."""

from __future__ import annotations

import os
import signal
import sys

import psutil
import pytest
from runs import GONE_WITHIN_S, endless, seconds_until

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
