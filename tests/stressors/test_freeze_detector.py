"""How a process tells a time in which it could not run from one in which it waited for a CPU."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import sys
import time

import pytest

from pytest_twin.stressors.supervisor.event_loop import EventLoop
from pytest_twin.stressors.system.freeze_detector import FreezeDetector


def test_who_wakes_up_much_too_late_was_kept_from_running():
    assert FreezeDetector(lambda: 0.0).lost(10.0, 14.0) == 4.0


def test_who_waited_for_a_cpu_was_not():
    waits = iter([1.0, 4.9])
    assert FreezeDetector(lambda: next(waits)).lost(10.0, 14.0) == 0.0


def test_of_both_only_the_rest_is_lost():
    waits = iter([1.0, 2.0])
    assert FreezeDetector(lambda: next(waits)).lost(10.0, 14.0) == 3.0


def test_being_a_little_late_is_usual():
    assert FreezeDetector(lambda: 0.0).lost(10.0, 10.4) == 0.0


def test_the_time_of_loads_does_not_count_what_is_skipped():
    loop = EventLoop()
    before = loop.now()
    loop.skip(5.0)
    assert before - 5.0 <= loop.now() <= time.monotonic() - 5.0
    assert loop.paused_s == pytest.approx(5.0)


@pytest.mark.skipif(sys.platform != "linux", reason="stops a process")
def test_a_loop_that_was_stopped_knows_for_how_long():
    code = (
        "from pytest_twin.stressors.supervisor.event_loop import EventLoop\n"
        "loop = EventLoop()\n"
        "loop.on_frozen = lambda began, ended: print(ended - began, flush=True)\n"
        "print('ready', flush=True)\n"
        "while True: loop.run_once(0.1)\n"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout.readline() == b"ready\n"
        for _ in range(10):  # it may not have got to its loop yet
            began = time.monotonic()
            os.kill(process.pid, signal.SIGSTOP)
            time.sleep(1.5)
            os.kill(process.pid, signal.SIGCONT)
            if select.select([process.stdout], (), (), 1.0)[0]:
                break
        lost = float(process.stdout.readline())
        took = time.monotonic() - began
        process.kill()
    assert 1.0 < lost < took + 0.1
