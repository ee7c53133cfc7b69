"""A run that is stopped, and one that somebody debugs: its loads rest meanwhile."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil
import pytest
from runs import seconds_until, seconds_until_gone

from pytest_twin.loads.parser import parse_load
from pytest_twin.loads.registry import kinds
from pytest_twin.recording.recording import Recording
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import ANNOTATIONS
from pytest_twin.telemetry.sampler_config import SamplerConfig

pytestmark = [
    pytest.mark.fault("pauses"),
    pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells only there that a process is stopped"),
]

BODY = """import os, pytest, time

@pytest.mark.stress(cpu=1)
def test_it():
    open("begun", "w").close()
    while not os.path.exists("enough"): time.sleep(0.05)
"""


def rests(process: psutil.Process) -> bool:
    """Whether it does nothing, for a while; one that only has no CPU is running."""
    for _ in range(10):
        if process.status() == psutil.STATUS_RUNNING:
            return False
        time.sleep(0.01)
    return True


def pauses(run) -> list[tuple[str, str]]:
    """The gaps of loads; a machine that stands still for a moment really is told as one of the sampler."""
    found = ((row["event"], row["detail"]) for row in run.events if row["type"] == "gap")
    return [(name, detail) for name, detail in found if detail.startswith("loads paused: ")]


@pytest.mark.parametrize("number", [signal.SIGSTOP, pytest.param(signal.SIGTSTP, marks=pytest.mark.slow)], ids=str)
def test_loads_rest_while_the_run_is_stopped_and_the_gap_is_marked(start, number):
    run = start(BODY)
    seconds_until((run.folder / "begun").exists)
    (stressor, *_) = run.processes("stressor")
    burning = stressor.cpu_times().user
    seconds_until(lambda: stressor.cpu_times().user > burning)
    run.process.send_signal(number)
    seconds_until(lambda: psutil.Process(run.process.pid).status() == psutil.STATUS_STOPPED)
    seconds_until(lambda: rests(stressor))
    stopped = stressor.cpu_times()
    time.sleep(1)
    burnt = sum(stressor.cpu_times()[:2]) - sum(stopped[:2])
    run.process.send_signal(signal.SIGCONT)
    (run.folder / "enough").touch()
    assert run.wait()[0] == 0
    assert burnt <= 0.1
    assert pauses(run) == [("start", "loads paused: stopped"), ("end", "loads paused: stopped")]
    assert run.loads("end") == [("cpu", "1")]


def test_a_pause_in_which_the_supervisor_dies_is_a_gap_that_ends_once(tmp_path, eventually):
    with Recording(RunFolder(tmp_path / "report"), SamplerConfig(0.1)) as recording:
        with recording.under_load(parse_load({"cpu": 1}, kinds())) as (applied,):
            recording.pause("debugger")
            eventually(lambda: told(recording, "gap"))
            psutil.Process(recording._supervisor.pid).kill()
            eventually(lambda: len(told(recording, "gap")) > 1)
            recording.resume("debugger")
        with recording.under_load(parse_load({"threads": 1}, kinds())):
            pass
    assert applied.failure == "the supervisor died (exit status -9)"
    assert told(recording, "gap") == ["start", "end"]
    assert told(recording, "cpu") == ["start", "abort"]
    assert told(recording, "threads") == ["start", "end"]


def told(recording, kind: str) -> list[str]:
    rows = [row for row in recording.folder.rows(ANNOTATIONS) if row["type"] == kind]
    return [row["event"] for row in rows if not row["detail"].startswith("sampler")]  # as in `pauses`


@pytest.mark.slow
def test_a_post_mortem_of_a_failed_test_has_no_load_beside_it(run):
    body = "import pytest\n@pytest.mark.stress(cpu=1)\ndef test_it(): assert False\n"
    (done, status, said) = run(body, "--pdb", stdin=subprocess.DEVNULL)  # its end ends pdb
    assert status in {pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED}, said
    assert done.loads("end") == [("cpu", "1")]
    seconds_until_gone(done)


@contextmanager
def stopped(processes: list[psutil.Process]) -> Iterator[None]:
    """Have them stand still for the time of the block."""

    def send(number: int) -> None:
        for each in reversed(processes):  # the run itself comes last, as with a freezer it is never seen as stopped
            each.send_signal(number)

    send(signal.SIGSTOP)
    yield
    send(signal.SIGCONT)


@contextmanager
def frozen(processes: list[psutil.Process]) -> Iterator[None]:
    """The same by the freezer of control groups, as ``docker pause`` does it."""
    version_1 = Path("/sys/fs/cgroup/freezer")
    folder = (version_1 if version_1.is_dir() else Path("/sys/fs/cgroup")) / f"twin-test-{os.getpid()}"
    name, freeze, thaw = ("freezer.state", "FROZEN", "THAWED") if version_1.is_dir() else ("cgroup.freeze", "1", "0")
    try:
        folder.mkdir()
        for each in processes:
            (folder / "cgroup.procs").write_text(str(each.pid))
        (folder / name).write_text(freeze)
    except OSError as error:
        pytest.skip(f"nothing can be frozen here: {error.strerror}")
    try:
        yield
    finally:
        (folder / name).write_text(thaw)
        for each in processes:
            with suppress(OSError):
                (folder.parent / "cgroup.procs").write_text(str(each.pid))
        seconds_until(lambda: not (folder / "cgroup.procs").read_text())
        folder.rmdir()


def long_gaps(run) -> list[float]:
    """How long they were; any machine may stand still for a moment."""
    rows = [row for row in run.events if row["type"] == "gap"]
    began, ended = ({row["id"]: float(row["elapsed_s"]) for row in rows if row["event"] == which}
                    for which in ("start", "end"))  # fmt: skip
    return [last for last in (ended[name] - began[name] for name in ended) if last > 2]


@pytest.mark.slow
@pytest.mark.parametrize("halted", [stopped, frozen])
def test_a_run_that_is_frozen_as_a_whole_has_one_gap_that_no_load_is_charged_with(start, halted):
    run = start(BODY)
    seconds_until((run.folder / "begun").exists)
    seconds_until(lambda: run.loads("start"))
    before = time.monotonic()
    with halted(run.processes()):
        began = time.monotonic()
        time.sleep(4)
        lasted = time.monotonic() - began
    longest = time.monotonic() - before
    seconds_until(lambda: long_gaps(run))
    (run.folder / "enough").touch()
    assert run.wait()[0] == 0
    (gap,) = long_gaps(run)
    assert lasted - 1.5 < gap < longest + 1.5
    (end,) = (row for row in run.load_rows("end") if row["type"] == "cpu")
    test = next(row for row in run.tests)
    assert json.loads(end["detail"])["held_s"] < float(test["duration_s"]) - 2.5
