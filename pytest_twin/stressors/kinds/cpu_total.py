"""The CPU of the whole host topped up to a level: workers burn what everything else leaves of it.

It backs off before everything else, the test under which it runs included, so it is no load to test under: `cpu` is.
It is one to make a machine as busy as another was, where nothing runs that should feel it.

How busy the host is follows from its idle time in /proc/stat, which the kernel keeps exactly; its busy times are
samples of the timer tick, with which a load can keep step. What the hypervisor took counts as busy.
"""

from __future__ import annotations

import math
import os
import sys
import time
from typing import NamedTuple

from pytest_twin.stressors.kinds._cpu_methods import burner
from pytest_twin.stressors.kinds._cpu_pacer import CpuPacer
from pytest_twin.stressors.spec.kind import SHARE, Kind
from pytest_twin.stressors.spec.profile import Profile
from pytest_twin.stressors.system.capacity import usable_cpus
from pytest_twin.stressors.worker.job import Job

KIND = Kind(
    keyword="cpu_total",
    type="cpu_total",
    module="pytest_twin.stressors.kinds.cpu_total",
    units=(SHARE,),
    bare=None,
    amounts='a share of the whole host such as "75%"',
    modifiers=("method",),
    measure="host_cpu_s",
)

LOOK_EVERY_S = 0.05
SPREAD_S = 0.1  # the time over which what is missing is burnt
SMOOTHING = 0.3  # the weight of the newest look at what is foreign
PAUSED_S = 0.01  # where the clocks of host and load are further apart than that, the load was paused
STAT = "/proc/stat"


def workers(job: Job) -> int:
    """One for each usable CPU.

    Raises:
        OSError: There is no /proc/stat, or the load is strict and may be more than this process can use.
    """
    wanted, usable = job.profile.peak * read_host().cpus, usable_cpus()
    if job.strict and wanted > usable:
        raise OSError(f"{wanted:g} CPUs are asked for, and only {usable:g} may be used; ask for less, or not strictly")
    return math.ceil(usable)


def demand(job: Job) -> float:
    """The most that it wants: CPU cores, where nothing else runs."""
    return min(usable_cpus(), job.profile.peak * read_host().cpus)


def asked(job: Job) -> Profile:
    """Busy CPU cores of the host over time."""
    return job.profile.scaled(read_host().cpus)


def stress(job: Job) -> None:
    """Burn until stopped, each worker an equal part of what is missing.

    They need not talk: all read the same idle time of the same machine, and so find the same to be missing.
    """
    burn = burner(job)
    topping = CpuController(job)
    time.sleep(LOOK_EVERY_S)
    job.piece = LOOK_EVERY_S * usable_cpus() / job.workers
    job.ready()
    topping.begin()
    pacer = CpuPacer(job, burn)
    while True:
        pacer.burn_slice(topping.cores() / job.workers)
        job.tick()


class HostIdleTime(NamedTuple):
    """The machine's idle time at one moment.

    Attributes:
        at: `time.monotonic`.
        idle_s: Seconds that its CPUs together had nothing to do, waiting for a disk included.
        cpus: How many it has.
    """

    at: float
    idle_s: float
    cpus: int


def read_host() -> HostIdleTime:
    """Read it now.

    Raises:
        OSError: This platform has no /proc/stat.
    """
    if sys.platform == "win32" or not os.path.exists(STAT):
        raise OSError(f"cpu_total needs {STAT}, which is not to be had here; give cpu")
    with open(STAT, "rb", buffering=0) as file:
        lines, at = file.read(1 << 20).splitlines(), time.monotonic()
    fields = lines[0].split()
    cpus = sum(line.startswith(b"cpu") for line in lines) - 1  # the first line is of all of them
    return HostIdleTime(at, (int(fields[4]) + int(fields[5])) / os.sysconf("SC_CLK_TCK"), cpus)


class HostWindow(NamedTuple):
    """The host between two looks: seconds, the cores that were asked and busy, whether the load was paused."""

    span: float
    asked: float
    busy: float
    paused: bool


class CpuController:
    """How many cores to burn: target less foreign, and what a pacer of asked and busy CPU seconds has left over.

    Foreign is what the host was busy with besides the cores that the load was to burn, so that no worker has to know
    what the others used.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._most = usable_cpus()
        self._host, self._then = read_host(), job.now()
        self._cores = self._foreign = self._missing_s = 0.0
        job.achieved["host_cpu_s"] = 0.0

    def begin(self) -> None:
        """Be at the level at once: all that was there until now is foreign, and does not count."""
        seen = self._look()
        self._decide(seen.asked, seen.busy)
        self._job.achieved["host_cpu_s"] = 0.0

    def cores(self) -> float:
        """What all workers together should burn now."""
        if self._job.now() - self._then >= LOOK_EVERY_S:
            seen, burnt = self._look(), self._cores
            if not seen.paused:
                most = self._most * SPREAD_S  # nothing is made up for beyond what can be burnt in that time
                missing = self._missing_s + (seen.asked - seen.busy) * seen.span
                self._missing_s = min(max(missing, -most), most)
                self._decide(seen.asked, self._foreign + SMOOTHING * (seen.busy - burnt - self._foreign))
        return self._cores

    def _decide(self, asked: float, foreign: float) -> None:
        self._foreign = foreign
        self._cores = min(max(0.0, asked - foreign + self._missing_s / SPREAD_S), self._most)

    def _look(self) -> HostWindow:
        before, self._host = self._host, read_host()
        then, self._then = self._then, self._job.now()
        span = self._host.at - before.at
        asked = self._job.target() * self._host.cpus
        busy = self._host.cpus - (self._host.idle_s - before.idle_s) / span
        seen = HostWindow(span, asked, busy, span - (self._then - then) > PAUSED_S)
        if not seen.paused:
            part = busy * span / self._job.workers  # since the figures of all are added up
            self._job.achieved["host_cpu_s"] = float(self._job.achieved["host_cpu_s"]) + part
        return seen
