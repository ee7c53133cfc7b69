"""What the kernel has counted for this process and for its children."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterator, Sequence
from contextlib import suppress

from pytest_twin._system import child_process
from pytest_twin._system.clock import monotonic
from pytest_twin._system.descriptor import Descriptor
from pytest_twin._system.procfs import PAGE, PROC, TICKS, ReopeningProcFile, numbers_agree, read_bytes
from pytest_twin._system.stdlib import os, sys, time
from pytest_twin.model.attempt_row import BorderCounters, ChildCounters, ChildStarts
from pytest_twin.telemetry.process_tree_linux import LinuxTree, NoMoreFilesError, parse_io

if sys.platform != "win32":
    from pytest_twin._system.stdlib import resource

JUST_NOW_S = 0.01
CURRENT_TEST = b"PYTEST_CURRENT_TEST"  # which pytest sets for each phase of a test
BLOCK = 512
MOST_KEPT = 32  # processes and threads whose files stay open


class ProcessCounters:
    """Reads the kernel's counters of this process and of its children; about 10 µs a reading."""

    def __init__(self, own: Callable[[], Container[int | None]] = tuple) -> None:
        """Begin.

        Args:
            own: Tells which children are ours: what they use, and theirs, is not counted.
        """
        self._own = own
        self._tells_io = parse_io(read_bytes(f"{PROC}/self/io")) != (None, None)  # rather than that there was none
        self._status = ReopeningProcFile("/proc/self/status", self._lose)
        self._statm = ReopeningProcFile("/proc/self/statm", self._lose)
        self._tells_children = numbers_agree(PROC) and os.path.exists(f"{PROC}/self/task")
        self._children: dict[str, ReopeningProcFile] = {}  # of each thread
        self._processes = LinuxTree()
        self._inherited = _highest()  # the mark of what exec(2) replaced by this program is not higher
        self._newest = ReopeningProcFile(f"{PROC}/sys/kernel/ns_last_pid", self._lose)
        self._looked_at, self._found = -math.inf, ChildCounters(None, None, None, None)
        self._alone: tuple[bytes, Container[int | None]] = b"", ()  # the newest process when there were no children
        try:
            self._clear_refs: Descriptor | None = Descriptor(_open_clear_refs)
        except OSError:
            self._clear_refs = None
        self._is_reset = self._clear_refs is not None

    def counters(self) -> BorderCounters:
        """What was counted for this process up to now (getrusage(2))."""
        at = monotonic()
        if sys.platform == "win32":
            times = os.times()
            return BorderCounters(at, times.user, times.system, None, None, None, None)
        else:  # noqa: RET505 - for the type checker, which knows no module `resource` there
            own = resource.getrusage(resource.RUSAGE_SELF)
            return BorderCounters(at, own[0], own[1], own[14] + own[15], own[7], *self._moved(own))

    def children(self, *, just_now: bool = False) -> ChildCounters:
        """What was counted for children up to now.

        Looking at living children takes some time: `just_now` allows what was found a moment ago, between two tests.
        """
        at = monotonic()
        if not just_now or at - self._looked_at > JUST_NOW_S:
            self._looked_at, self._found = at, self._look()
        return self._found

    def _look(self) -> ChildCounters:
        if sys.platform == "win32":
            return ChildCounters(None, None, None, None)
        else:  # noqa: RET505
            ended = child_process.subtract_own_children(resource.getrusage(resource.RUSAGE_CHILDREN))
            unit = 1 if sys.platform == "darwin" else 1024
            living_s = self._cpu_of_living(self._own())
            cpu_s = None if living_s is None else ended[0] + ended[1] + living_s
            return ChildCounters(cpu_s, ended[2] * unit, *self._moved(ended))

    def offspring(self) -> ChildStarts | None:
        """What tells whether children are started; None where nothing does.

        A child that only began and ended has had page faults of its own, and they are handed on when it is waited for.
        """
        if sys.platform == "win32":
            return None
        else:  # noqa: RET505
            ended = child_process.subtract_own_children(resource.getrusage(resource.RUSAGE_CHILDREN))
            living = None
            if self._tells_children:
                own = self._own()
                with suppress(OSError):  # no more files may be open
                    living = frozenset(pid for pid in self._living() if pid not in own)
            return ChildStarts(ended[6] + ended[7] + ended[14] + ended[15], living)

    def orphans_cpu_s(self, since_boot_s: float, reaped_s: float) -> float:
        """The most CPU seconds that processes of this test used which their parents did not wait for: in no account.

        Of those that ended, what they used, or, once an ancestor has waited for them, what all used that ancestors
        waited for; infinite while one lives. Looks at all processes, which takes some milliseconds. Not found is one
        that left the session and lives.

        Args:
            since_boot_s: When the test began, as `seconds_since_boot` tells it.
            reaped_s: What `reaped_by_ancestors_s` told then.
        """
        ended_s = self.reaped_by_ancestors_s() - reaped_s
        for state, cpu_s in self._orphans(since_boot_s):
            if state != b"Z":
                return math.inf
            ended_s += cpu_s
        return ended_s

    def _orphans(self, since_boot_s: float) -> Iterator[tuple[bytes, float]]:
        """State and CPU seconds of each process of the POSIX session, begun since then, whose parent is not of it.

        It is of this test, and not of another pytest-xdist worker's, by the name of the test in its environment, or
        else by its group.
        """
        if sys.platform != "linux" or not self._tells_children:
            return
        try:
            session, group, self_pid, names = os.getsid(0), os.getpgrp(), os.getpid(), os.listdir(PROC)
        except OSError:
            return
        test = os.environb.get(CURRENT_TEST)
        for name in filter(str.isdecimal, names):
            fields = read_bytes(f"{PROC}/{name}/stat").rpartition(b")")[2].split(None, 20)
            if len(fields) > 20 and int(fields[3]) == session and int(fields[19]) / TICKS >= since_boot_s:
                parent = int(fields[1])
                if parent != self_pid and (parent <= 1 or _session_of(parent) != session):
                    its_test = _variable(int(name), CURRENT_TEST)
                    if its_test == test if its_test is not None else int(fields[2]) == group:
                        yield fields[0], sum(map(int, fields[11:15])) / TICKS

    def reaped_by_ancestors_s(self) -> float:
        """CPU seconds of processes that this one's ancestors, process 1 among them, waited for (proc_pid_stat(5))."""
        if sys.platform == "win32" or not self._tells_children:
            return 0.0
        ticks, pid = 0, os.getppid()
        while pid > 0:
            fields = read_bytes(f"{PROC}/{pid}/stat").rpartition(b")")[2].split(None, 15)
            if len(fields) < 16:
                break
            ticks += int(fields[13]) + int(fields[14])
            pid = int(fields[1])
        return ticks / TICKS

    def forget_peak(self) -> None:
        """Reset the high-water mark of resident memory (proc_pid_clear_refs(5)), where that can be done."""
        if self._clear_refs is not None:
            try:
                os.write(self._clear_refs.get(), b"5")
                self._is_reset = True
            except OSError:  # the next test may have it again
                self._is_reset = False

    def peak(self) -> int | None:
        """Bytes at the high-water mark of resident memory; None where it cannot be reset, and is of all that ran."""
        if not self._is_reset:
            return None
        highest = _highest()
        if highest > self._inherited:  # then it is this program's own, and told three times as fast
            return highest
        self._inherited = highest
        text = self._status.read()
        begin = text.find(b"VmHWM:") + 6
        return int(text[begin : text.find(b"kB", begin)]) * 1024 if begin > 5 else None

    def resident(self) -> int | None:
        """Bytes that are resident now (proc_pid_statm(5), exact since Linux 6.17); None where that is not told."""
        pages = self._statm.start().split()
        return int(pages[1]) * PAGE if pages else None

    def close(self) -> None:
        """No more reading."""
        self._processes.close()
        for kept in (self._status, self._statm, self._newest, *self._children.values()):
            kept.close()
        if self._clear_refs is not None:
            self._clear_refs.close()
        self._clear_refs, self._is_reset = None, False

    def _lose(self) -> None:
        """A test closed descriptors of ours: those of its children are not closed again, for others may have them."""
        self._processes = LinuxTree()

    def _moved(self, usage: Sequence[float]) -> tuple[float | None, float | None]:
        """Bytes read and written; Linux counts blocks of 512 bytes where others count operations (getrusage(2))."""
        return (usage[9] * BLOCK, usage[10] * BLOCK) if self._tells_io else (None, None)

    def _cpu_of_living(self, own: Container[int | None]) -> float | None:
        """CPU seconds of the children that live, and of theirs; 0 where there is no /proc, None if it is not told."""
        newest = self._newest.read()  # before the look at the children: what begins meanwhile is found the next time
        if newest and (newest, own) == self._alone:
            return 0.0  # no process has begun on this machine since there were no children
        try:
            pending = [pid for pid in self._living() if pid not in own]
            self._alone = b"" if pending else newest, own
            return self._cpu_below(pending)
        except OSError:  # this process, which is the tests', has all the files open that it may have
            return None

    def _cpu_below(self, pending: list[int]) -> float:
        self._processes.refresh(detailed=False)
        cpu, count = 0.0, 0
        while pending:
            pid = pending.pop()
            if (process := self._processes.look(pid)) is not None:
                cpu += process.now[0]
                count += 1
                pending += process.children()
        if count > MOST_KEPT:
            self._processes.close()
        return cpu

    def _living(self) -> Iterator[int]:
        """The children of this process: those of each thread, also of one that Python knows no more but the kernel.

        Raises:
            OSError: No more files may be open.
        """
        try:
            threads = os.listdir(f"{PROC}/self/task") if self._tells_children else []
        except FileNotFoundError:
            threads = []
        for gone in self._children.keys() - threads:
            self._children.pop(gone).close()
        for thread in threads:
            kept = self._children.get(thread) or self._open(thread)
            yield from map(int, kept.read().split())
            if thread not in self._children:
                kept.close()

    def _open(self, thread: str) -> ReopeningProcFile:
        """The file with the children of a thread, of which some stay open: it is the tests' process that has them."""
        kept = ReopeningProcFile(f"{PROC}/self/task/{thread}/children", self._lose)
        if kept.is_refused:
            raise NoMoreFilesError
        if len(self._children) < MOST_KEPT:
            self._children[thread] = kept
        return kept


def _variable(pid: int, name: bytes) -> bytes | None:
    """A variable of the environment that a process was started with, None without it."""
    for variable in read_bytes(f"{PROC}/{pid}/environ").split(b"\0"):
        if variable.startswith(name + b"="):
            return variable[len(name) + 1 :]
    return None


def _session_of(pid: int) -> int | None:
    """The session of a process, None where it is gone or may not be asked."""
    if sys.platform == "win32":
        return None
    try:
        return os.getsid(pid)
    except OSError:
        return None


def seconds_since_boot() -> float:
    """Seconds since the machine was started, in the ticks in which the beginnings of processes are told."""
    if sys.platform != "linux":
        return 0.0
    return math.floor(time.clock_gettime(time.CLOCK_BOOTTIME) * TICKS) / TICKS


def _open_clear_refs() -> int:
    return os.open("/proc/self/clear_refs", os.O_WRONLY | getattr(os, "O_CLOEXEC", 0))


def _highest() -> int:
    """Bytes at the high-water mark of this process, including that of a program that this one took the place of."""
    if sys.platform == "win32":
        return 0
    else:  # noqa: RET505
        return resource.getrusage(resource.RUSAGE_SELF)[2] * 1024
