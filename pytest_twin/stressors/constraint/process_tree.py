"""Find the processes of a tree, and read the CPU clock of each (Linux only).

The CPU clock of a process counts nanoseconds, needs no file and no rights (clock_getcpuclockid(3)). The clocks of
children that have ended are added to those of the parent that waited for them, which /proc/PID/stat shows.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Container, Iterator
from contextlib import suppress

from pytest_twin.stressors import PROCESS_NAME

assert sys.platform == "linux"  # noqa: S101 - for the type checker: this module is for Linux only

NANOSECONDS_PER_TICK = 1_000_000_000 // os.sysconf("SC_CLK_TCK")
GUARDIAN_NAME = "twin-guardian"
HELPER_NAMES = PROCESS_NAME.encode(), GUARDIAN_NAME.encode()
HELPER_PROGRAMS = (
    b"/pytest_twin/recording/sampler_main.py",
    b"/pytest_twin/stressors/__main__.py",
    b"/pytest_twin/export/prometheus/exporter_main.py",
    b"/pytest_twin/export/otlp/main.py",
)
CPU_CLOCK = 2  # CPUCLOCK_SCHED of the kernel


class ProcessStat:
    """The fields of /proc/PID/stat that are used here (proc_pid_stat(5)).

    Attributes:
        state: A letter, such as ``T`` for stopped.
        parent: The process id of the parent.
        group: The process group.
        session: The session.
        terminal: The controlling terminal, 0 if there is none.
        children_ns: CPU nanoseconds of the children that it has waited for, and of theirs.
        threads: The number of its threads.
        start: When it was started, in clock ticks since boot; with the process id it identifies the process.
    """

    __slots__ = ("children_ns", "group", "parent", "session", "start", "state", "terminal", "threads")

    def __init__(self, text: bytes) -> None:
        fields = text.rpartition(b") ")[2].split()
        self.state = fields[0].decode()
        self.parent, self.group, self.session, self.terminal = map(int, fields[1:5])
        self.children_ns = (int(fields[13]) + int(fields[14])) * NANOSECONDS_PER_TICK
        self.threads = int(fields[17])
        self.start = int(fields[19])


def read_kernel_file(path: str) -> bytes:
    """Return the text of a kernel file.

    Raises:
        OSError: It cannot be read; for a file of a process, also that it has ended.
    """
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        text = part = os.read(file, 1 << 16)
        while part:
            text += (part := os.read(file, 1 << 16))
        return text
    finally:
        os.close(file)


def read_stat(pid: int) -> ProcessStat | None:
    """Return the state of a process; None if there is no such process."""
    try:
        return ProcessStat(read_kernel_file(f"/proc/{pid}/stat"))
    except (OSError, IndexError):
        return None


def start_of(pid: int) -> int:
    """Return when a process was started, in clock ticks since boot; 0 if there is no such process."""
    stat = read_stat(pid)
    return 0 if stat is None else stat.start


def cpu_ns(pid: int) -> int:
    """Return the CPU nanoseconds that a process has used, in all of its threads.

    Raises:
        OSError: There is no such process.
    """
    return time.clock_gettime_ns((~pid << 3) | CPU_CLOCK)


def is_helper(pid: int) -> bool:
    """Return whether a process is a supervisor, stressor, sampler or exporter of a run, which are never constrained.

    Those of a run that is constrained as a whole are started within it.
    """
    try:
        if read_kernel_file(f"/proc/{pid}/comm").rstrip() in HELPER_NAMES:
            return True
        words = read_kernel_file(f"/proc/{pid}/cmdline").split(b"\0")
    except OSError:  # it has just ended
        return False
    return any(word.endswith(HELPER_PROGRAMS) for word in words[:5])


def children(pid: int, threads: int | None = None) -> list[int]:
    """Return the children of all threads of a process; none if it has ended.

    The threads are read from the last to the first: when a thread ends meanwhile, the kernel gives its children to the
    first one (`find_new_reaper` in kernel/exit.c), so they are found there.

    Args:
        pid: The process.
        threads: The number of its threads, if that is known.
    """
    try:
        ids = [str(pid)] if threads == 1 else os.listdir(f"/proc/{pid}/task")
    except OSError:  # it has ended
        return []
    found: list[int] = []
    for thread in reversed(ids):
        with suppress(OSError):  # this thread has ended
            found += map(int, read_kernel_file(f"/proc/{pid}/task/{thread}/children").split())
    return found if len(ids) == 1 else list(dict.fromkeys(found))


def tree(root: int, outside: Container[int] = ()) -> Iterator[int]:
    """Yield a process and its descendants, each before its children, without those outside and their descendants."""
    if root not in outside:
        yield root
        for child in children(root):
            yield from tree(child, outside)
