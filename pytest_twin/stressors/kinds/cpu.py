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
ROUNDING = 1e-6  # shares that exceed 100 % by no more do not
MAX_WORKERS_PER_CPU = 64  # more get so little CPU time each that they take minutes to start


def workers(job: Job) -> int:
    """Return the requested number of workers, or for a share one for each usable CPU, or several.

    There are several by request (`PER_CPU`), and where the demand exceeds all CPUs (`layers`).

    Raises:
        ValueError: There are too many for this machine.
    """
    each = job.options.get(PER_CPU, 1) * layers(job)
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
    count = layers(job)
    layer, per_worker = job.index * count // job.workers, _whole(job) * count / job.workers
    if job.unit == SHARE:
        _pin_to_cpu(job)  # from here on the usable CPUs are those of this worker
    burn = burner(job)
    job.ready()
    pacer = CpuPacer(job, burn)
    while True:
        target, paid_s = job.target(), count * job.used_beside()  # the other loads use CPU time of the lowest layer
        pacer.burn_slice(per_worker * in_layer(target, layer, count), 0.0 if layer else paid_s)
        job.tick()


def layers(job: Job) -> int:
    """Return how many workers on each CPU a share takes: more than one only where the demand exceeds all CPUs.

    A scaled replay may request 150 %: one worker on each CPU at full speed, and another one for half of the time. So a
    CPU has as many processes that want it as the demand says.
    """
    return max(1, math.ceil(job.profile.peak - ROUNDING)) if job.unit == SHARE else 1


def in_layer(target: float, layer: int, count: int) -> float:
    """Return the part of a target that the workers of a layer request; the whole target if there is only one."""
    return target if count == 1 else min(max(0.0, target - layer), 1.0)


def _pin_to_cpu(job: Job) -> None:
    """Pin this worker to a CPU if each of them is to have as many workers, so that each gets the requested share.

    Otherwise the scheduler may leave two workers on one CPU for tenths of a second, and a test alone on another.
    """
    if sys.platform == "linux":
        allowed = sorted(os.sched_getaffinity(0))
        if job.workers == len(allowed) * int(job.options.get(PER_CPU, 1)) * layers(job):
            with suppress(OSError):  # the CPU was taken away meanwhile
                os.sched_setaffinity(0, {allowed[job.index % len(allowed)]})


def _whole(job: Job) -> float:
    """Return the CPU cores that a value of 1 stands for."""
    return 1.0 if job.unit == COUNT else usable_cpus()
