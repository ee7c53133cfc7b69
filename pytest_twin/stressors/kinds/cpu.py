"""CPU load: workers at full speed, or a share of the usable CPUs kept by the workers' own CPU seconds.

It does not depend on the total usage of the machine: in a test run the other load is the test, and a load that gives
way to the test does not stress it.
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

PER_CPU = "per_cpu"  # option of a share: the workers for each CPU, which beside busy processes get a share each
MAX_WORKERS_PER_CPU = 64  # more get so little CPU time each that they take minutes to start


def workers(job: Job) -> int:
    """Return the requested number of workers, or for a share one for each usable CPU, or several (`PER_CPU`).

    Raises:
        ValueError: There are too many for this machine.
    """
    each = job.options.get(PER_CPU, 1)
    count = math.ceil(job.profile.peak) if job.unit == COUNT else each * math.ceil(usable_cpus())
    most = MAX_WORKERS_PER_CPU * math.ceil(usable_cpus())
    if count > most:
        raise ValueError(f"{count} workers are too many for {usable_cpus():g} CPUs; give at most {most}")
    return count


def demand(job: Job) -> float:
    """Return the highest number of CPU cores that is requested."""
    return job.profile.peak * _whole(job)


def asked(job: Job) -> Profile:
    """Return the requested CPU cores over time, at most the usable CPUs."""
    return job.profile.scaled(_whole(job), most=usable_cpus())


def stress(job: Job) -> None:
    """Burn this worker's part of the CPU time that the profile requests, until stopped."""
    per_worker = _whole(job) / job.workers
    if job.unit == SHARE:
        _pin_to_cpu(job)
    burn = burner(job)
    job.ready()
    pacer = CpuPacer(job, burn)
    while True:
        pacer.burn_slice(per_worker * job.target(), job.used_beside())
        job.tick()


def _pin_to_cpu(job: Job) -> None:
    """Pin this worker to a CPU if each of them is to have as many workers, so that each gets the requested share.

    Otherwise the scheduler may leave two workers on one CPU for tenths of a second, and a test alone on another.
    """
    if sys.platform == "linux":
        allowed = sorted(os.sched_getaffinity(0))
        if job.workers == len(allowed) * int(job.options.get(PER_CPU, 1)):
            with suppress(OSError):  # the CPU was taken away meanwhile
                os.sched_setaffinity(0, {allowed[job.index % len(allowed)]})


def _whole(job: Job) -> float:
    """Return the CPU cores that a value of 1 stands for."""
    return 1.0 if job.unit == COUNT else usable_cpus()
