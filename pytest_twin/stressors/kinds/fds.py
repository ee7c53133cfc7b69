"""Open files: a number of file descriptors held, which fills the system's table up to a reserve for other processes.

Several processes hold them, each as many as its own limit (RLIMIT_NOFILE) permits; the limit of the tests is untouched.
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

MAX_WORKERS = 256


def workers(job: Job) -> int:
    """Return as many workers as the limit of open files of each makes necessary.

    Raises:
        ValueError: They would be too many, or the system has no limit that a share could refer to.
    """
    count, each = demand(job), kernel_tables.files_per_worker()
    if count > each * MAX_WORKERS:
        raise ValueError(f"{count:.0f} open files are too many ({each} per process); give at most {each * MAX_WORKERS}")
    return max(1, math.ceil(count / max(1, each)))


def demand(job: Job) -> float:
    """Return the highest number of open files that is requested."""
    return job.profile.peak * _whole(job)


def asked(job: Job) -> Profile:
    """Return the requested number of open files over time."""
    return job.profile.scaled(_whole(job))


def stress(job: Job) -> None:
    """Hold as many files open as the profile requests, until stopped."""
    whole = _whole(job)
    if job.unit == SHARE:
        job.achieved["of_peak_open_files"] = whole / job.workers  # the figures of all workers add up to the whole
    kernel_tables.raise_file_limit()
    open_files: list[int] = []
    Holder(
        job,
        "open_files",
        acquire=lambda: open_files.append(os.open(os.devnull, os.O_RDONLY)),
        release=lambda: os.close(open_files.pop()),
        headroom=lambda _: kernel_tables.file_headroom(),
    ).follow(whole)


def _whole(job: Job) -> float:
    """Return the number of open files that a value of 1 stands for."""
    if job.unit == COUNT:
        return 1.0
    most = kernel_tables.file_max()
    if most is None:
        raise ValueError("this system has no limit on open files that a share could refer to; give a number")
    return float(most)
