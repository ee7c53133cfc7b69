"""Stressors and their supervisor as real processes, started from the bare checkout, with nothing installed."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import psutil
import pytest

from pytest_twin import stressors

SOURCES = Path(stressors.__file__).parent
ROOT = SOURCES.parent.parent
SCRIPTS = ROOT / "stressors"  # what is typed by hand
BARE = [sys.executable, "-I", "-S"]
LIMIT_S = 200  # a busy machine may take a minute to fill the buffers of a load


class Program:
    """A running stressor whose load is ready."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.first_line = line_of(process)

    @property
    def workers(self) -> list[psutil.Process]:
        """Its worker processes."""
        return psutil.Process(self.process.pid).children()

    def end(self) -> tuple[int, str]:
        """Its exit status and the rest of what it said."""
        said, errors = self.process.communicate(timeout=LIMIT_S)
        return self.process.returncode, said + errors


class Supervisor:
    """The supervisor, at the other end of its pipes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self.frozen_s = 0.0
        self.hello = self.hear()

    def send(self, *messages: dict) -> None:
        """Write one line for each message."""
        for message in messages:
            self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def hear(self) -> dict:
        """The next thing that it says, except that the machine stood still for a while."""
        while "until" in (reply := json.loads(line_of(self.process))):
            self.frozen_s += reply["until"] - reply["at"]
            line_of(self.process)  # that it goes on
        return reply

    def apply(self, name: str = "load", **request) -> None:
        """Ask for a load; one worker that has nothing to do unless it says otherwise."""
        self.send({"op": "apply", **light(name), **request, "id": name})

    def applied(self, name: str = "load", **request) -> dict:
        """Ask for a load, and wait until it is there."""
        self.apply(name, **request)
        ready = self.hear()
        assert (ready["event"], ready["id"]) == ("ready", name), ready
        return ready

    def stopped(self, name: str = "load") -> dict:
        """Stop a load, and wait for what became of it."""
        self.send({"op": "stop", "id": name})
        return self.hear()

    def achieved(self, name: str = "load") -> dict:
        """Ask for the figures of a load so far."""
        self.send({"op": "achieved", "id": name})
        return self.hear()["achieved"]

    def end(self) -> int:
        """Close its stdin; its exit status."""
        _, errors = self.process.communicate(timeout=LIMIT_S)
        assert not errors
        return self.process.returncode


def cpu(name: str = "load", workers: float = 1, **request) -> dict:
    """A request for workers at full speed."""
    load = {"module": "pytest_twin.stressors.kinds.cpu", "unit": "count", "profile": [[0, workers]]}
    return {"id": name, **load, **request}


def light(name: str = "load", workers: int = 1, **request) -> dict:
    """A request that any machine fulfils, however busy it is: its workers have nothing to do for some days."""
    return {**cpu(name), "profile": [[0, 0], [1e6, 0], [1e6, workers]], **request}


def without_freezes(replies: Iterable[dict]) -> list[dict]:
    """What was replied, except that the machine stood still for a while, and that it goes on."""
    left, found = iter(replies), []
    for reply in left:
        if "until" in reply:
            next(left, None)
        else:
            found.append(reply)
    return found


def ended(reason: str) -> str:
    """What is printed of the end of a load, also of one that others kept from the CPUs: a regular expression."""
    return rf"(ended \({reason}\)|failed \((starved: |worker \d of \d has ).*\))"


def is_kept(share: Callable[[], float], within: float, *, tries: int = 5) -> bool:
    """Whether a load came to what was asked of it in one of some tries; the test is skipped on a busy machine.

    Args:
        share: Applies the load for a while; what it came to as a share of what was asked.
        within: How far from 1 that may be.
        tries: How many there are: others may take the CPU at any time.
    """
    found, unused = [], 0.0
    for _ in range(tries):
        began, idle = time.monotonic(), psutil.cpu_times().idle
        found.append(share())
        if abs(found[-1] - 1) <= within:
            return True
        unused = max(unused, (psutil.cpu_times().idle - idle) / (time.monotonic() - began) / psutil.cpu_count())
    if unused < 0.1 and min(found) < 1:
        pytest.skip(f"others left {unused:.0%} of the CPUs at most")
    return False


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line of its output; a process that says nothing is ended, and then it is the end."""
    killer = threading.Timer(LIMIT_S, process.kill)
    killer.start()
    try:
        return process.stdout.readline()
    finally:
        killer.cancel()
