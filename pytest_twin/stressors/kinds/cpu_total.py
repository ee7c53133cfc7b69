"""CPU usage of the whole host kept at a level: workers burn what all other processes leave of it.

It gives way to all other processes, including the tests, so it is no load to test under; `cpu` is one. It makes a
machine as busy as another one was, where nothing runs that should be slowed down.

The usage of the host is derived from its idle time in /proc/stat, which the kernel measures exactly; the busy times are
samples of the timer tick, which a load can be in step with. Stolen time counts as busy.
"""

from __future__ import annotations

import math
import os
import sys
import time
from typing import NamedTuple

from pytest_twin.stressors.kinds._cpu_methods import burner
from pytest_twin.stressors.kinds._cpu_pacer import CpuPacer
from pytest_twin.stressors.kinds.cpu import in_layer, layers
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

MEASURE_EVERY_S = 0.05
SPREAD_S = 0.1  # the time over which missing CPU seconds are burnt
SMOOTHING = 0.3  # the weight of the latest measurement of foreign usage
PAUSED_S = 0.01  # if the clocks of host and load differ by more, the load was paused
STAT = "/proc/stat"


def workers(job: Job) -> int:
    """Return one worker for each usable CPU, or several where the demand exceeds all CPUs (`layers`).

    Raises:
        OSError: There is no /proc/stat, or the load is strict and may need more than the usable CPUs.
    """
    wanted, usable = job.profile.peak * read_host().cpus, usable_cpus()
    if job.strict and wanted > usable:
        raise OSError(f"requested {wanted:g} CPUs; only {usable:g} are usable; request less, or remove strict")
    return layers(job) * math.ceil(usable)


def demand(job: Job) -> float:
    """Return the highest number of CPU cores that is burnt if no other process runs."""
    return min(usable_cpus(), job.profile.peak * read_host().cpus)


def asked(job: Job) -> Profile:
    """Return the requested busy CPU cores of the host over time, at most all."""
    cpus = read_host().cpus
    return job.profile.scaled(cpus, most=cpus)


def stress(job: Job) -> None:
    """Burn an equal part of the missing CPU time, until stopped.

    Workers need no communication: all read the same idle time of the host, and find the same CPU time to be missing.
    What is requested beyond all CPUs is burnt by the workers of the upper layers, beside the others.
    """
    burn, count = burner(job), layers(job)
    layer, workers_of_layer = job.index * count // job.workers, job.workers / count
    controller = CpuController(job)
    time.sleep(MEASURE_EVERY_S)
    job.piece = MEASURE_EVERY_S * usable_cpus() / job.workers
    job.ready()
    controller.begin()
    pacer = CpuPacer(job, burn)
    while True:
        cores = controller.cores()
        if layer:
            cores = in_layer(job.target(), layer, count) * controller.cpus
        elif not cores:
            time.sleep(MEASURE_EVERY_S)  # nothing changes before the next measurement
        pacer.burn_slice(cores / workers_of_layer)
        job.tick()


class HostIdleTime(NamedTuple):
    """The idle time of the host so far.

    Attributes:
        at: The `time.monotonic` of the measurement.
        idle_s: Idle seconds of all CPUs together, including those waiting for I/O.
        cpus: The number of CPUs.
    """

    at: float
    idle_s: float
    cpus: int


def read_host() -> HostIdleTime:
    """Read the present idle time.

    Raises:
        OSError: This platform has no /proc/stat.
    """
    if sys.platform == "win32" or not os.path.exists(STAT):
        raise OSError(f"cpu_total needs {STAT}, which this platform does not have; use cpu instead")
    with open(STAT, "rb", buffering=0) as file:
        lines, at = file.read(1 << 20).splitlines(), time.monotonic()
    fields = lines[0].split()
    cpus = sum(line.startswith(b"cpu") for line in lines) - 1  # the first line is of all of them
    return HostIdleTime(at, (int(fields[4]) + int(fields[5])) / os.sysconf("SC_CLK_TCK"), cpus)


class HostWindow(NamedTuple):
    """The host between two measurements.

    Attributes:
        span_s: The seconds between them.
        requested: The busy cores that are requested now.
        requested_s: The CPU seconds that were requested in it.
        busy: The busy cores.
        is_paused: Whether the load was paused meanwhile.
    """

    span_s: float
    requested: float
    requested_s: float
    busy: float
    is_paused: bool


class CpuController:
    """Controls how many cores to burn: the target minus foreign usage, plus the CPU seconds missing so far.

    Foreign usage is that of the host minus the cores that the load should have burnt, so that no worker needs to know
    what the others have used.
    """

    def __init__(self, job: Job) -> None:
        self._job = job
        self._most = usable_cpus()
        self._host, self._then = read_host(), job.now()
        self.cpus = self._host.cpus
        self._asked = job.profile.scaled(self.cpus, most=self.cpus)
        self._cores = self._foreign = self._missing_s = 0.0
        job.achieved["host_cpu_s"] = 0.0

    def begin(self) -> None:
        """Start at the level: all usage until now is foreign, and is not counted."""
        window = self._measure()
        self._decide(window.requested, window.busy)
        self._job.achieved["host_cpu_s"] = 0.0

    def cores(self) -> float:
        """Return the cores that all workers together should burn now."""
        if self._job.now() - self._then >= MEASURE_EVERY_S:
            window, burnt = self._measure(), self._cores
            if not window.is_paused:
                most = self._most * SPREAD_S  # more cannot be burnt in that time, and is dropped
                missing = self._missing_s + window.requested_s - window.busy * window.span_s
                self._missing_s = min(max(missing, -most), most)
                self._decide(window.requested, self._foreign + SMOOTHING * (window.busy - burnt - self._foreign))
        return self._cores

    def _decide(self, requested: float, foreign: float) -> None:
        self._foreign = foreign
        self._cores = min(max(0.0, requested - foreign + self._missing_s / SPREAD_S), self._most)

    def _measure(self) -> HostWindow:
        before, self._host = self._host, read_host()
        then, self._then = self._then, self._job.now()
        span = self._host.at - before.at
        asked = min(self._job.target(), 1.0) * self._host.cpus
        busy = self._host.cpus - (self._host.idle_s - before.idle_s) / span
        asked_s = self._job.asked_between(then, self._then, self._asked)
        window = HostWindow(span, asked, asked_s, busy, span - (self._then - then) > PAUSED_S)
        if not window.is_paused:
            part = busy * span / self._job.workers  # the figures of all workers are added up
            self._job.achieved["host_cpu_s"] = float(self._job.achieved["host_cpu_s"]) + part
        return window
