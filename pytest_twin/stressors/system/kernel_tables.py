"""Headroom in the kernel's tables of open files and threads, with a reserve for other processes.

Sources: Documentation/admin-guide/sysctl/{fs,kernel}.rst and cgroup-v2.rst of the kernel; getrlimit(2); proc(5).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import NamedTuple

from pytest_twin.stressors.system.capacity import available_memory, folders, memory_reserve, number, text, usable_memory

UNLIMITED = 1 << 40  # newer systems set such a number as the largest, which is no limit
FILE_BYTES = 1024  # of memory that an open file takes at most
THREAD_BYTES = 64 * 1024
OWN_FILES = 64  # that a worker needs itself
MAX_FILES = 1 << 17  # of one worker: more would take too long to close when it is killed


class Headroom(NamedTuple):
    """How many more a load may take, and the reason for that limit."""

    left: float
    reason: str


def file_max() -> int | None:
    """Return the limit of open files of the whole system; None where there is none, or it is not known."""
    most = number("/proc/sys/fs", "file-max")
    return most if most is not None and most < UNLIMITED else None


def files_per_worker() -> int:
    """Return the number of files that one worker may hold open for a load."""
    if sys.platform == "win32":
        return 2048
    import resource

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = MAX_FILES if hard == resource.RLIM_INFINITY else min(MAX_FILES, hard)
    return max(0, min(most, number("/proc/sys/fs", "nr_open") or most) - OWN_FILES)


def raise_file_limit() -> None:
    """Raise the limit of open files of this process so that it can hold `files_per_worker`."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = files_per_worker() + OWN_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def file_headroom() -> Headroom:
    """Return how many more open files of the system a load may take."""
    headrooms = [_memory_headroom(FILE_BYTES)]
    most, now = file_max(), text("/proc/sys/fs", "file-nr").split()
    if most is not None and now:
        floor = min(max(1024, most // 10), most // 2)
        headrooms.append(
            Headroom(most - floor - int(now[0]), f"{floor} of the system's {most} are reserved for other processes")
        )
    return min(headrooms)


def thread_headroom(own: int, before: int | None) -> Headroom:
    """Return how many more threads a load may take.

    Args:
        own: The threads of this load.
        before: The threads that this user had before the load; None if there is no limit for this user.
    """
    headrooms = [_memory_headroom(THREAD_BYTES)]
    for used, most, what in _limits(own, before):
        floor = min(max(128, most // 10), most // 2)
        headrooms.append(Headroom(most - floor - used, f"{floor} of {what} {most} are reserved for other processes"))
    return min(headrooms)


def user_threads() -> int | None:
    """Return the number of threads that count towards this user's limit; None if there is no limit for this user."""
    if sys.platform != "linux" or os.geteuid() == 0 or _user_limit() is None:
        return None
    user, count = os.geteuid(), 0
    for process in os.listdir("/proc"):
        if process.isdecimal():
            try:
                if os.stat(f"/proc/{process}").st_uid == user:
                    count += len(os.listdir(f"/proc/{process}/task"))
            except OSError:  # it has just ended
                pass
    return count


def _limits(own: int, before: int | None) -> Iterator[tuple[int, int, str]]:
    """Yield each limit of threads as (used, maximum, name of the limit)."""
    all_threads = text("/proc", "loadavg").split()
    if all_threads:
        used = int(all_threads[3].partition("/")[2])
        for name in ("threads-max", "pid_max"):
            most = number("/proc/sys/kernel", name)
            if most is not None:
                yield used, most, f"the system's {name}"
    for folder in (*folders("pids"), *folders("")):
        most, current = number(folder, "pids.max"), number(folder, "pids.current")
        if most is not None and current is not None:
            yield current, most, "the cgroup's"
    limit = _user_limit()
    if before is not None and limit is not None:
        yield before + own, limit, "the user's"


def _user_limit() -> int | None:
    """Return RLIMIT_NPROC, None if there is no limit."""
    if sys.platform == "win32":
        return None
    import resource

    soft = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    return None if soft == resource.RLIM_INFINITY else soft


def _memory_headroom(size: int) -> Headroom:
    available, total = available_memory(), usable_memory()
    if available is None or total is None:
        return Headroom(float("inf"), "")
    reserve = memory_reserve(total)
    return Headroom((available - reserve) // size, f"{reserve >> 20} MiB of memory are reserved for other processes")
