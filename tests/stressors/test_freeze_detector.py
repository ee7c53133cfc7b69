"""How a process tells a time in which it could not run from one in which it waited for a CPU."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from pytest_twin.stressors.supervisor.event_loop import EventLoop
from pytest_twin.stressors.system.freeze_detector import FreezeDetector

linux = pytest.mark.skipif(sys.platform != "linux", reason="stops a process")


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


@contextmanager
def stopped_loop(turns: str) -> Iterator[subprocess.Popen[bytes]]:
    """Run a loop that prints how long it was frozen, and stop it for 1.5 s, until it has noticed that."""
    code = (
        "from pytest_twin.stressors.supervisor.event_loop import EventLoop\n"
        "loop = EventLoop()\n"
        "loop.on_frozen = lambda began, ended: print(ended - began, flush=True)\n"
        "loop.after(0.0, lambda: print('ready', flush=True))\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code + turns], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        try:
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            process.kill()


def stop_for_a_while(process: subprocess.Popen[bytes], meanwhile: bytes = b"") -> float:
    """Stop it and let it go on; return for how long it was stopped at most."""
    began = time.monotonic()
    os.kill(process.pid, signal.SIGSTOP)
    time.sleep(1.5)
    process.stdin.write(meanwhile)
    process.stdin.flush()
    os.kill(process.pid, signal.SIGCONT)
    return time.monotonic() - began


@linux
@pytest.mark.parametrize("between", ["pass", "sum(range(3_000_000))"], ids=["waits", "is busy between its waits"])
def test_a_loop_that_was_stopped_knows_for_how_long(between):
    turns = f"while True: loop.run_once(0.001); {between}\n"
    with stopped_loop(turns) as process:
        longest = stop_for_a_while(process)
        assert 1.0 < float(process.stdout.readline()) < longest + 0.5  # what it used is known by ticks only


@linux
def test_a_request_that_arrives_while_the_loop_is_stopped_is_read_after_that_time_is_counted():
    turns = "loop.watch_requests(0, lambda data: print(data, flush=True))\nwhile True: loop.run_once(0.1)\n"
    with stopped_loop(turns) as process:
        longest = stop_for_a_while(process, b"end it")
        assert 1.0 < float(process.stdout.readline()) < longest + 0.1
        assert process.stdout.readline() == b"b'end it'\n"
