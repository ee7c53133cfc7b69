"""Runs of pytest as processes, in a folder of their own, and what they leave."""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

import psutil
from load_rows import loads_that

from pytest_twin.stressors import PROCESS_NAME

FLAGS = ("-p", "no:cacheprovider", "--disable-plugin-autoload", "-p", "pytest_twin.plugin")
# promised is one second, and benchmarks/kill_storm.py measures it; a busy disk holds back those that were killed
GONE_WITHIN_S = 60.0


def endless(stress: str, tests: int) -> str:
    """A file of so many short tests under this load, more than end before they are killed; each tells that it ended."""
    return f"""import os, pytest, time
ENDED = os.open("ended", os.O_WRONLY | os.O_APPEND | os.O_CREAT)

@pytest.mark.parametrize("number", range({tests}))
@pytest.mark.stress({stress})
def test_loaded(number):
    time.sleep(0.05)
    os.write(ENDED, b"x")
"""


class Run:
    """A run of pytest that was started."""

    def __init__(self, folder: Path, *flags: str, before: Sequence[str] = (), **options) -> None:
        self.folder = folder
        command = [*before, sys.executable, "-m", "pytest", *FLAGS, "--rootdir=.", *flags]
        options = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "process_group": 0, **options}
        self.process = subprocess.Popen(command, cwd=folder, **options)

    @property
    def report(self) -> Path:
        return self.folder / "twin-report"

    def rows(self, name: str) -> list[dict[str, str]]:
        """The rows of a table, those included that workers of pytest-xdist left; each has all its cells."""
        found = []
        for path in (self.report / name, *self.report.glob(name.replace(".csv", ".part-*.csv"))):
            text = path.read_text(encoding="utf-8") if path.exists() else ""
            rows = list(csv.DictReader(text[: text.rfind("\n") + 1].splitlines()))
            assert all(None not in row and None not in row.values() for row in rows)
            found += rows
        return found

    @property
    def tests(self) -> list[dict[str, str]]:
        return self.rows("tests.csv")

    @property
    def events(self) -> list[dict[str, str]]:
        return self.rows("annotations.csv")

    @property
    def samples(self) -> list[dict[str, str]]:
        return self.rows("system_metrics_dataset.csv")

    def loads(self, event: str) -> list[tuple[str, str]]:
        """(type, target) of the loads with this event; one that others kept from the CPUs has ended too."""
        return [(row["type"], row["target"]) for row in self.load_rows(event)]

    def load_rows(self, event: str) -> list[dict[str, str]]:
        """Their rows."""
        return loads_that(event, self.events)

    def ended(self) -> int:
        """How many tests had reached their end, as they themselves tell."""
        path = self.folder / "ended"
        return path.stat().st_size if path.exists() else 0

    def processes(self, role: str = "") -> list[psutil.Process]:
        """What works in its folder and is of this role."""
        return [each for each in working_in(self.folder) if role in ("", role_of(each, self.process.pid))]

    def kill(self, *roles: str, number: int = signal.SIGKILL) -> list[psutil.Process]:
        """Send a signal to the first process of each role that is there; comes back with those that got it."""
        sent = []
        for role in roles:
            for process in self.processes(role)[:1]:
                with suppress(psutil.NoSuchProcess):  # it ended meanwhile
                    process.send_signal(number)
                    sent.append(process)
        return sent

    def wait(self, seconds: float = 120.0) -> tuple[int, str, str]:
        """Its exit status and what it said, if that was to be heard."""
        out, errors = self.process.communicate(timeout=seconds)
        return self.process.returncode, (out or b"").decode(), (errors or b"").decode()


def working_in(folder: Path) -> list[psutil.Process]:
    """The processes whose directory this is: a run, its sampler, its supervisor, its stressors."""
    found = []
    for process in psutil.process_iter():
        try:
            if os.readlink(f"/proc/{process.pid}/cwd") == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except (OSError, psutil.Error):
            continue
    return found


def role_of(process: psutil.Process, run: int) -> str:
    """What a process is in a run; the supervisor is the stressor that no stressor started."""
    try:
        words, parent = " ".join(process.cmdline()), process.parent()
        if process.pid == run:
            return "pytest"
        if process.name() == PROCESS_NAME:
            return "stressor" if parent is not None and parent.name() == PROCESS_NAME else "supervisor"
    except psutil.Error:
        return "gone"
    return "sampler" if "sampler_main.py" in words else "worker" if "exec(eval(" in words else "other"


def seconds_until(condition: Callable[[], object], within: float = 60.0) -> float:
    """Wait for a condition, and say how long that took."""
    began = time.monotonic()
    while not condition():
        assert time.monotonic() < began + within, f"not within {within} s"
        time.sleep(0.01)
    return time.monotonic() - began


def seconds_until_gone(run: Run) -> float:
    """Wait until nothing works in the folder of a run, and say how long that took; tells what is left if it is not."""
    try:
        return seconds_until(lambda: not run.processes(), within=GONE_WITHIN_S)
    except AssertionError as error:
        raise AssertionError(f"{error}: {run.processes()}") from None
