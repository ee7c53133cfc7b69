"""A signal at a random moment, to any process of a run."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time

import pytest
from runs import GONE_WITHIN_S, endless, seconds_until, seconds_until_gone

from pytest_twin.loads.supervisor_client import SupervisorClient
from pytest_twin.loads.validation import read_load
from pytest_twin.run_folder.layout import LOCK

pytestmark = [
    pytest.mark.fault("signals"),
    pytest.mark.skipif(sys.platform != "linux", reason="finds the processes in /proc"),
]

LOADED = endless("cpu=1, mem='20MiB', disk='5MB/s'", tests=2000)
TIMES = [signal.SIGTERM, signal.SIGINT, (signal.SIGINT, signal.SIGINT)]
RARE = [signal.SIGKILL, signal.SIGHUP, signal.SIGQUIT]


def each_once(numbers):
    return [pytest.param(each, marks=pytest.mark.slow if each in RARE else ()) for each in numbers]


def nothing_is_left_of(run):
    """Everything ends soon, and all that had happened is recorded but for one row."""
    seconds_until_gone(run)
    run.wait()
    assert sum(row["outcome"] != "crashed" for row in run.tests) >= run.ended() - 1
    assert sum((row["event"], row["type"]) == ("end", "test") for row in run.events) >= run.ended() - 1
    assert all(row["elapsed_s"] for row in run.samples)
    whole = {path.suffix for path in run.report.iterdir() if path.name not in {".gitignore", LOCK}}
    assert whole <= {".csv", ".json", ""}


@pytest.mark.slow
@pytest.mark.parametrize("numbers", each_once([*TIMES, *RARE]), ids=str)
def test_a_signal_to_pytest_leaves_no_process_and_takes_no_row_but_one(start, numbers):
    run = start(LOADED)
    seconds_until(lambda: run.ended() > 2)
    for number in numbers if isinstance(numbers, tuple) else [numbers]:
        run.process.send_signal(number)
        time.sleep(0.01)
    nothing_is_left_of(run)


@pytest.mark.parametrize("times", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_ctrl_c_in_the_terminal_goes_to_the_whole_group(start, times):
    run = start(LOADED)
    seconds_until(lambda: run.ended() > 2)
    for _ in range(times):
        os.killpg(run.process.pid, signal.SIGINT)
        time.sleep(0.02)
    nothing_is_left_of(run)
    if times == 1:
        assert run.process.returncode == pytest.ExitCode.INTERRUPTED


@pytest.mark.parametrize("roles", [("pytest", "supervisor"), ("supervisor", "sampler"), ("pytest", "sampler")])
def test_of_two_that_are_killed_at_once_nothing_is_left(start, roles):
    run = start(LOADED)
    seconds_until(lambda: run.ended() > 2)
    doomed = run.processes("stressor")
    run.kill(*roles)
    seconds_until(lambda: not any(each.is_running() for each in doomed), within=GONE_WITHIN_S)
    run.process.kill()
    nothing_is_left_of(run)


INTERRUPTED = """
import random, signal, sys, time
from pathlib import Path
from pytest_twin.loads.validation import read_load
from pytest_twin.recording.recording import Recording
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.telemetry.sampler_config import SamplerConfig

load, chance = read_load({"cpu": "1%", "mem": "2MiB"}), random.Random(1)
signal.signal(signal.SIGALRM, signal.default_int_handler)  # as Ctrl-C, but at a moment of our choice
with Recording(RunFolder(Path("report")), SamplerConfig(1.0)) as recording:
    def hold():
        with recording.under_load(load): pass
    def seconds():
        began = time.monotonic()
        hold()
        return time.monotonic() - began
    lasted, interrupts = min(seconds() for _ in range(5)), 0
    for _ in range(int(sys.argv[1])):
        try:
            signal.setitimer(signal.ITIMER_REAL, chance.uniform(0.0001, lasted))
            hold()
            signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            interrupts += 1
        until = time.monotonic() + 60
        while recording._supervisor.running:
            assert time.monotonic() < until, "a load goes on"
            time.sleep(0.001)
print(interrupts)
"""


@pytest.mark.parametrize("times", [150, pytest.param(1000, marks=pytest.mark.slow)])
def test_an_interrupt_at_whatever_moment_of_a_load_leaves_it_not_going_on_and_nobody_waiting(tmp_path, times):
    command = [sys.executable, "-c", INTERRUPTED, str(times)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > times / 10


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # of files that nobody could close
def test_wherever_the_start_of_a_supervisor_is_interrupted_the_next_load_is_applied(interrupted, monkeypatch):
    supervisor, processes = SupervisorClient(lambda *_: None, lambda _: None), []
    for at in range(0, 5000, 25):
        with tempfile.TemporaryFile() as errors:
            process = supervisor._spawn(
                errors.fileno()
            )  # which takes most instructions, and has nobody wait for anything
            processes.append(process)
            with monkeypatch.context() as patch:
                patch.setattr(supervisor, "_spawn", lambda _, process=process: process)
                was_interrupted = interrupted(supervisor.start, at)
        part = read_load({"mem": "1MiB"}).parts[0]
        applied = supervisor.apply(part, part.request(f"l{at}"))
        seconds_until(lambda applied=applied: applied.is_settled)
        assert applied.ready_at is not None, applied.failure
        supervisor.close()
        if not was_interrupted:
            break
    for process in processes:
        with process:
            process.kill()
    assert at > 25
    assert not was_interrupted


@pytest.mark.slow
@pytest.mark.parametrize("roles", [("pytest",), ("supervisor",), ("sampler",), ("stressor",), ("pytest", "sampler")])
def test_whatever_is_hit_at_whatever_moment_the_run_leaves_nothing(start, roles):
    chance = random.Random(str(roles))
    for _ in range(4):
        run = start(LOADED)
        time.sleep(chance.uniform(0.0, 2.0))  # it is not there for the first half second or so
        run.kill(*roles, number=chance.choice([signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT]))
        time.sleep(0.1)
        run.process.kill()
        seconds_until(lambda run=run: not run.processes(), within=GONE_WITHIN_S)
        run.wait()
