"""Threads: a number of idle threads held, which fills the kernel's tables and its scheduler's lists.

Their number stays below every limit (RLIMIT_NPROC, the cgroup's pids.max, kernel.threads-max, kernel.pid_max), so that
other processes can still start threads.
"""

from __future__ import annotations

import _thread
import math
import threading

from pytest_twin.stressors.kinds._holder import Holder
from pytest_twin.stressors.spec.kind import COUNT, Kind
from pytest_twin.stressors.spec.profile import Profile
from pytest_twin.stressors.system import kernel_tables
from pytest_twin.stressors.worker.job import Job

KIND = Kind(
    keyword="threads",
    type="threads",
    module="pytest_twin.stressors.kinds.threads",
    units=(COUNT,),
    bare=(COUNT, 1),
    amounts="a whole number of idle threads",
    modifiers=(),
    measure="peak_threads",
    level="threads",
    most=100_000,
)

THREADS_PER_WORKER = 4000  # each takes two of the about 65,000 mappings that a process may have
STACK = 64 * 1024


def workers(job: Job) -> int:
    """Return as many workers as the threads fit into."""
    return max(1, math.ceil(demand(job) / THREADS_PER_WORKER))


def demand(job: Job) -> float:
    """Return the highest number of threads that is requested."""
    return job.profile.peak


def asked(job: Job) -> Profile:
    """Return the requested number of threads over time."""
    return job.profile


def stress(job: Job) -> None:
    """Hold as many threads as the profile requests, until stopped."""
    before = kernel_tables.user_threads()
    threading.stack_size(STACK)
    idle = IdleThreads()
    Holder(
        job,
        "threads",
        acquire=idle.start,
        release=idle.end,
        headroom=lambda count: kernel_tables.thread_headroom(count * job.workers, before),
    ).follow()


class IdleThreads:
    """Threads that wait for a lock each."""

    def __init__(self) -> None:
        self._locks: list[_thread.LockType] = []

    def start(self) -> None:
        """Start one more thread.

        Raises:
            OSError: The system has no more threads.
        """
        lock = _thread.allocate_lock()
        lock.acquire()
        try:
            _thread.start_new_thread(lock.acquire, ())  # it waits in C, and ends when the lock is released
        except RuntimeError as error:
            raise OSError(str(error)) from None
        self._locks.append(lock)

    def end(self) -> None:
        """End the thread that was started last."""
        self._locks.pop().release()
