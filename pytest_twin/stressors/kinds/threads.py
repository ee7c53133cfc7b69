"""Threads: so many of them held, all idle, which fills the kernel's tables and its scheduler's lists.

They stop short of every limit there is (RLIMIT_NPROC, the cgroup's pids.max, kernel.threads-max, kernel.pid_max), so
that everybody else can still start some.
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

A_WORKER = 4000  # threads of one process: each takes two of the mappings that it may have, about 65,000
STACK = 64 * 1024


def workers(job: Job) -> int:
    """As many as the threads fit into."""
    return max(1, math.ceil(demand(job) / A_WORKER))


def demand(job: Job) -> float:
    """Threads that are asked for at most."""
    return job.profile.peak


def asked(job: Job) -> Profile:
    """Threads over time."""
    return job.profile


def stress(job: Job) -> None:
    """Hold as many as the profile asks for, until stopped."""
    before = kernel_tables.threads_of_user()
    threading.stack_size(STACK)
    idle = IdleThreads()
    Holder(
        job,
        "threads",
        take=idle.take,
        give=idle.give,
        room=lambda held: kernel_tables.room_for_threads(held * job.workers, before),
    ).follow()


class IdleThreads:
    """Threads that do nothing."""

    def __init__(self) -> None:
        self._held_back: list[_thread.LockType] = []

    def take(self) -> None:
        """Start one more.

        Raises:
            OSError: The machine gives no more.
        """
        lock = _thread.allocate_lock()
        lock.acquire()
        try:
            _thread.start_new_thread(lock.acquire, ())  # it waits there, in C, and ends when it is let through
        except RuntimeError as error:
            raise OSError(str(error)) from None
        self._held_back.append(lock)

    def give(self) -> None:
        """Let the last one end."""
        self._held_back.pop().release()
