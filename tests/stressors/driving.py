"""Stressors and their supervisor as real processes, started from the bare checkout, with nothing installed."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import psutil

from pytest_twin import stressors

SOURCES = Path(stressors.__file__).parent
ROOT = SOURCES.parent.parent
SCRIPTS = ROOT / "stressors"  # what is typed by hand
BARE = [sys.executable, "-I", "-S"]
LIMIT_S = 60


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
        self.hello = self.hear()

    def send(self, *messages: dict) -> None:
        """Write one line for each message."""
        for message in messages:
            self.process.stdin.write(json.dumps(message) + "\n")
        self.process.stdin.flush()

    def hear(self) -> dict:
        """The next thing that it says."""
        return json.loads(line_of(self.process))

    def apply(self, name: str = "load", **request) -> None:
        """Ask for a load; one worker at full speed unless it says otherwise."""
        self.send({"op": "apply", **cpu(name), **request})

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

    def end(self) -> int:
        """Close its stdin; its exit status."""
        _, errors = self.process.communicate(timeout=LIMIT_S)
        assert not errors
        return self.process.returncode


def cpu(name: str = "load", workers: float = 1, **request) -> dict:
    """A request for workers at full speed."""
    load = {"module": "pytest_twin.stressors.kinds.cpu", "unit": "count", "profile": [[0, workers]]}
    return {"id": name, **load, **request}


def light(name: str = "load", **request) -> dict:
    """A request that any machine fulfils, however busy it is: a worker for each CPU, and next to nothing to do."""
    return {**cpu(name), "unit": "share", "profile": [[0, 0.01]], **request}


def line_of(process: subprocess.Popen[str]) -> str:
    """The next line of its output; a process that says nothing is ended, and then it is the end."""
    killer = threading.Timer(LIMIT_S, process.kill)
    killer.start()
    try:
        return process.stdout.readline()
    finally:
        killer.cancel()
