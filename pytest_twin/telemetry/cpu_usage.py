"""What the processes of this machine use of its CPUs for a short time."""

from __future__ import annotations

import time
from typing import NamedTuple

import psutil

MEASURE_S = 1.0
WORTH_TELLING_CPUS = 0.05


class BusyProcess(NamedTuple):
    """A process that used CPU time.

    Attributes:
        pid: Its process id.
        name: Its name.
        cpus: The CPUs that it used on average.
    """

    pid: int
    name: str
    cpus: float


class ProcessUsage:
    """CPU time of the processes of other programs since this object was made."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._before = _cpu_times()

    def busiest(self, count: int = 3) -> list[BusyProcess]:
        """Return the processes that used most since then, if it is worth telling: without this one and its children."""
        elapsed_s = max(time.monotonic() - self._began, 1e-3)
        this = psutil.Process()
        own = {this.pid, *(each.pid for each in this.children(recursive=True))}
        found = [
            BusyProcess(process.pid, process.info["name"] or "", (used - self._before.get(process, 0.0)) / elapsed_s)
            for process, used in _cpu_times().items()
            if process.pid not in own and used - self._before.get(process, 0.0) >= WORTH_TELLING_CPUS * elapsed_s
        ]
        return sorted(found, key=lambda each: -each.cpus)[:count]


def _cpu_times() -> dict[psutil.Process, float]:
    """Return the CPU seconds of each process that can be read."""
    found = {}
    for process in psutil.process_iter(["cpu_times", "name"]):
        times = process.info["cpu_times"]
        if times is not None:
            found[process] = times.user + times.system
    return found


def measure_cpu_share(seconds: float = MEASURE_S) -> float:
    """Wait for some seconds, and return the share of all CPUs that was in use meanwhile, from 0 to 1."""
    return psutil.cpu_percent(seconds) / 100
