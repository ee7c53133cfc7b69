"""A run that is stopped, and one that somebody debugs: its loads rest meanwhile."""

from __future__ import annotations

import signal
import subprocess
import sys
import time

import psutil
import pytest
from runs import seconds_until

from pytest_twin.layout import ANNOTATIONS
from pytest_twin.model.load import parse
from pytest_twin.recording import Recording
from pytest_twin.run_folder import RunFolder
from pytest_twin.supervisor import kinds

pytestmark = [
    pytest.mark.fault("pauses"),
    pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells only there that a process is stopped"),
]

BODY = """import pytest, time

@pytest.mark.stress(cpu=1)
def test_it():
    open("begun", "w").close()
    end = time.monotonic() + {seconds}
    while time.monotonic() < end: time.sleep(0.05)
"""


def gaps(run) -> list[tuple[str, str]]:
    return [(row["event"], row["detail"]) for row in run.events if row["type"] == "gap"]


@pytest.mark.parametrize("number", [signal.SIGSTOP, pytest.param(signal.SIGTSTP, marks=pytest.mark.slow)], ids=str)
def test_loads_rest_while_the_run_is_stopped_and_the_gap_is_marked(start, number):
    run = start(BODY.format(seconds=2))
    seconds_until((run.folder / "begun").exists)
    (stressor, *_) = run.processes("stressor")
    burning = stressor.cpu_times().user
    seconds_until(lambda: stressor.cpu_times().user > burning)
    run.process.send_signal(number)
    seconds_until(lambda: psutil.Process(run.process.pid).status() == psutil.STATUS_STOPPED)
    stopped = stressor.cpu_times()
    time.sleep(1.5)
    burnt = sum(stressor.cpu_times()[:2]) - sum(stopped[:2])
    run.process.send_signal(signal.SIGCONT)
    assert run.wait()[0] == 0
    assert burnt <= 0.55  # half a second, and what ticks are worth
    assert gaps(run) == [("start", "loads paused: stopped"), ("end", "loads paused: stopped")]
    assert run.loads("end") == [("cpu", "1")]


def test_a_pause_in_which_the_supervisor_dies_is_a_gap_that_ends_once(tmp_path, eventually):
    with Recording(RunFolder(tmp_path / "report"), 0.1) as recording:
        with recording.loaded(parse({"cpu": 1}, kinds())) as (applied,):
            recording.pause("debugger")
            eventually(lambda: told(recording, "gap"))
            psutil.Process(recording._supervisor.pid).kill()
            eventually(lambda: len(told(recording, "gap")) > 1)
            recording.resume("debugger")
        with recording.loaded(parse({"cpu": 1}, kinds())):
            pass
    assert applied.failed == "the supervisor died (exit status -9)"
    assert told(recording, "gap") == ["start", "end"]
    assert told(recording, "cpu") == ["start", "abort", "start", "end"]


def told(recording, kind: str) -> list[str]:
    return [row["event"] for row in recording.folder.rows(ANNOTATIONS) if row["type"] == kind]


@pytest.mark.slow
def test_a_post_mortem_of_a_failed_test_has_no_load_beside_it(run):
    body = "import pytest\n@pytest.mark.stress(cpu=1)\ndef test_it(): assert False\n"
    (done, status, said) = run(body, "--pdb", stdin=subprocess.DEVNULL)  # its end ends pdb
    assert status in {pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED}, said
    assert done.loads("end") == [("cpu", "1")]
    assert done.processes() == []
