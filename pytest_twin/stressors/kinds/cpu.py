"""CPU load: workers at full speed, or a share of the usable CPUs kept by the workers' own CPU seconds.

Never steered by the machine's total: in a test run the other load is the test, and backing off before it would be
the opposite of stressing it.
"""

from __future__ import annotations

import math
import os
import sys
from contextlib import suppress

from pytest_twin.stressors.kinds._cpu_methods import burner
from pytest_twin.stressors.kinds._cpu_pacer import CpuPacer
from pytest_twin.stressors.spec.kind import COUNT, SHARE, Kind
from pytest_twin.stressors.spec.profile import Profile
from pytest_twin.stressors.system.capacity import usable_cpus
from pytest_twin.stressors.worker.job import Job

KIND = Kind(
    keyword="cpu",
    type="cpu",
    module="pytest_twin.stressors.kinds.cpu",
    units=(COUNT, SHARE),
    bare=(COUNT, 1),
    amounts='a whole number of workers, or a share such as "75%"',
    modifiers=("method",),
    measure="cpu_s",
)

MOST_A_CPU = 64  # of more, each gets so little that they take minutes to begin


def workers(job: Job) -> int:
    """As many as asked, or one for each usable CPU.

    Raises:
        ValueError: The machine would choke on so many.
    """
    count = math.ceil(job.profile.peak if job.unit == COUNT else usable_cpus())
    most = MOST_A_CPU * math.ceil(usable_cpus())
    if count > most:
        raise ValueError(f"{count} workers are too many for {usable_cpus():g} CPUs; give at most {most}")
    return count


def demand(job: Job) -> float:
    """The most that it wants: CPU cores."""
    return job.profile.peak * _whole(job)


def asked(job: Job) -> Profile:
    """CPU cores over time: of more workers than there are CPUs no more than these can be had."""
    return job.profile.scaled(_whole(job), most=usable_cpus())


def stress(job: Job) -> None:
    """Burn CPU until stopped, each worker its part of what the profile asks for."""
    per_worker = _whole(job) / job.workers
    if job.unit == SHARE:
        _have_a_cpu(job)
    burn = burner(job)
    job.ready()
    pacer = CpuPacer(job, burn)
    while True:
        pacer.burn_slice(per_worker * job.target())
        job.tick()


def _have_a_cpu(job: Job) -> None:
    """Stay on a CPU of its own, where there is one for each worker: so all of them have the share that is asked.

    A scheduler that is free may leave two workers on one CPU for tenths of a second, and a test alone on the next.
    """
    if sys.platform == "linux":
        allowed = sorted(os.sched_getaffinity(0))
        if len(allowed) == job.workers:
            with suppress(OSError):  # it was taken away just now
                os.sched_setaffinity(0, {allowed[job.index]})


def _whole(job: Job) -> float:
    """The cores that a value of 1 stands for."""
    return 1.0 if job.unit == COUNT else usable_cpus()
