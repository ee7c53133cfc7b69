"""Open files: so many file descriptors held, which fills the system's table, a floor for everybody else left free.

Several processes hold them, each as many as its own limit (RLIMIT_NOFILE) allows; the tests keep theirs to themselves.
"""

from __future__ import annotations

import math
import os

from pytest_twin.stressors.kinds._holder import Holder
from pytest_twin.stressors.spec.kind import COUNT, SHARE, Kind
from pytest_twin.stressors.spec.profile import Profile
from pytest_twin.stressors.system import kernel_tables
from pytest_twin.stressors.worker.job import Job

KIND = Kind(
    keyword="fds",
    type="files",
    module="pytest_twin.stressors.kinds.fds",
    units=(COUNT, SHARE),
    bare=(COUNT, 1),
    amounts='a whole number of open files, or a share such as "25%" of those that the system can have',
    modifiers=(),
    measure="peak_open_files",
    level="open_files",
    most=5_000_000,
)

MOST_WORKERS = 256


def workers(job: Job) -> int:
    """As many as the limit of each makes necessary.

    Raises:
        ValueError: They would be too many, or there is nothing that a share could be of.
    """
    count, each = demand(job), kernel_tables.files_a_worker()
    if count > each * MOST_WORKERS:
        raise ValueError(f"{count:.0f} open files are too many at {each} a process; give at most {each * MOST_WORKERS}")
    return max(1, math.ceil(count / max(1, each)))


def demand(job: Job) -> float:
    """Open files that are asked for at most."""
    return job.profile.peak * _whole(job)


def asked(job: Job) -> Profile:
    """Open files over time."""
    return job.profile.scaled(_whole(job))


def stress(job: Job) -> None:
    """Hold as many as the profile asks for, until stopped."""
    whole = _whole(job)
    if job.unit == SHARE:
        job.achieved["of_peak_open_files"] = whole / job.workers  # the workers' add up to the whole
    kernel_tables.raise_own_limit()
    held: list[int] = []
    Holder(
        job,
        "open_files",
        take=lambda: held.append(os.open(os.devnull, os.O_RDONLY)),
        give=lambda: os.close(held.pop()),
        room=lambda _: kernel_tables.room_for_files(),
    ).follow(whole)


def _whole(job: Job) -> float:
    """What a value of 1 stands for."""
    if job.unit == COUNT:
        return 1.0
    most = kernel_tables.file_max()
    if most is None:
        raise ValueError("this system has no limit of open files that a share could be of; give a number")
    return float(most)
