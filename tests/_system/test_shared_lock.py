"""Turns of pytest-xdist workers: processes that write down when they are in the room."""

from __future__ import annotations

import subprocess
import sys
import time
from itertools import pairwise

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="locks of fcntl(2)")

WORKER = """
import sys, time
from pathlib import Path
from pytest_twin._system.shared_lock import SharedExclusiveLock
turns, alone, seconds = SharedExclusiveLock(Path(sys.argv[1])), sys.argv[2] == "alone", float(sys.argv[3])
print("there", flush=True)
with turns.hold(exclusive=alone):
    began = time.monotonic()
    print("in", flush=True)
    time.sleep(seconds)
    print(began, time.monotonic(), flush=True)
"""


@pytest.fixture
def worker(tmp_path):
    """Starts a worker that wants its turn."""
    running: list[subprocess.Popen[str]] = []

    def start(how: str, seconds: float) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", WORKER, str(tmp_path), how, str(seconds)]
        running.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True))
        assert running[-1].stdout.readline() == "there\n"
        return running[-1]

    yield start
    for process in running:
        process.kill()
        process.communicate()


def is_in(process: subprocess.Popen[str]) -> subprocess.Popen[str]:
    """Wait until it has its turn."""
    assert process.stdout.readline() == "in\n"
    return process


def span(process: subprocess.Popen[str]) -> tuple[float, float]:
    """When it began and when it ended."""
    began, ended = map(float, process.stdout.read().split()[-2:])
    return began, ended


def test_those_that_do_not_mind_run_together(worker):
    one = is_in(worker("together", 60))
    is_in(worker("together", 0))
    assert one.poll() is None


def test_one_that_is_alone_waits_for_the_others_and_they_for_it(worker):
    first = is_in(worker("together", 0.5))
    alone = worker("alone", 0.3)
    time.sleep(0.1)
    last = worker("together", 0)
    began, ended = span(alone)
    assert span(first)[1] <= began
    assert ended <= span(last)[0]


def test_two_that_want_to_be_alone_take_turns(worker):
    spans = sorted(span(process) for process in [worker("alone", 0.2) for _ in range(3)])
    assert all(before[1] <= after[0] for before, after in pairwise(spans))


@pytest.mark.parametrize("how", ["alone", "together"])
def test_a_worker_that_is_killed_holds_up_nobody(worker, how):
    dying = is_in(worker(how, 60))
    waiting = worker("alone", 0)
    dying.kill()
    assert span(waiting)


def test_one_that_is_killed_while_it_waits_holds_up_nobody(worker):
    first = is_in(worker("together", 60))
    waiting = worker("alone", 60)
    time.sleep(0.2)
    waiting.kill()
    is_in(worker("together", 0))
    assert first.poll() is None
