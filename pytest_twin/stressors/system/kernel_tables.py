"""What is left of the kernel's tables of open files and of threads, a floor for everybody else taken off.

Sources: Documentation/admin-guide/sysctl/{fs,kernel}.rst and cgroup-v2.rst of the kernel; getrlimit(2); proc(5).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import NamedTuple

from pytest_twin.stressors.system.capacity import available_memory, folders, memory_reserve, number, text, usable_memory

UNLIMITED = 1 << 40  # what newer systems set as the largest number of files is as good as none
A_FILE = 1024  # bytes of memory that one takes at most
A_THREAD = 64 * 1024
OWN_FILES = 64  # that a worker needs itself
MOST_FILES = 1 << 17  # of one worker: more would take too long to be closed when it is killed


class Headroom(NamedTuple):
    """How many more there may be, and what keeps more from it."""

    left: float
    why: str


def file_max() -> int | None:
    """Open files that the whole system can have; None where that is not limited, or not told."""
    most = number("/proc/sys/fs", "file-max")
    return most if most is not None and most < UNLIMITED else None


def files_a_worker() -> int:
    """Open files that one process may hold for a load."""
    if sys.platform == "win32":
        return 2048
    import resource

    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    most = MOST_FILES if hard == resource.RLIM_INFINITY else min(MOST_FILES, hard)
    return max(0, min(most, number("/proc/sys/fs", "nr_open") or most) - OWN_FILES)


def raise_own_limit() -> None:
    """Let this process have as many open files as `files_a_worker` says."""
    if sys.platform == "win32":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = files_a_worker() + OWN_FILES
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def room_for_files() -> Headroom:
    """How many more open files the system can have, as far as a load may take them."""
    rooms = [_memory(A_FILE)]
    most, now = file_max(), text("/proc/sys/fs", "file-nr").split()
    if most is not None and now:
        floor = min(max(1024, most // 10), most // 2)
        rooms.append(Headroom(most - floor - int(now[0]), f"{floor} of the system's {most} are left to everybody else"))
    return min(rooms)


def room_for_threads(own: int, before: int | None) -> Headroom:
    """How many more threads there can be, as far as a load may take them.

    Args:
        own: Threads of this load.
        before: Threads that this user had before it, None where that does not matter.
    """
    rooms = [_memory(A_THREAD)]
    for used, most, what in _limits(own, before):
        floor = min(max(128, most // 10), most // 2)
        rooms.append(Headroom(most - floor - used, f"{floor} of {what} {most} are left to everybody else"))
    return min(rooms)


def threads_of_user() -> int | None:
    """Threads that count towards this user's limit; None where there is no limit for this user."""
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
    """What is used, what there may be, and whose limit it is."""
    all_threads = text("/proc", "loadavg").split()
    if all_threads:
        used = int(all_threads[3].partition("/")[2])
        for name in ("threads-max", "pid_max"):
            most = number("/proc/sys/kernel", name)
            if most is not None:
                yield used, most, f"the system's {name}"
    for folder in (*folders("pids"), *folders("")):
        most, here = number(folder, "pids.max"), number(folder, "pids.current")
        if most is not None and here is not None:
            yield here, most, "the cgroup's"
    limit = _user_limit()
    if before is not None and limit is not None:
        yield before + own, limit, "the user's"


def _user_limit() -> int | None:
    """RLIMIT_NPROC, which does not bind root."""
    if sys.platform == "win32":
        return None
    import resource

    soft = resource.getrlimit(resource.RLIMIT_NPROC)[0]
    return None if soft == resource.RLIM_INFINITY else soft


def _memory(each: int) -> Headroom:
    available, total = available_memory(), usable_memory()
    if available is None or total is None:
        return Headroom(float("inf"), "")
    reserve = memory_reserve(total)
    return Headroom((available - reserve) // each, f"{reserve >> 20} MiB of memory are left to everybody else")
