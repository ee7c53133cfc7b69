"""Read the kernel's counters of this process and of its children."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Container, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from pytest_twin._system import child_process
from pytest_twin._system.clock import monotonic
from pytest_twin._system.descriptor import Descriptor, DescriptorGroup
from pytest_twin._system.procfs import PAGE, PROC, TICKS, ReopeningProcFile, numbers_agree, read_bytes
from pytest_twin._system.stdlib import os, sys, time
from pytest_twin.model.attempt_row import ChildCounters, ChildStarts, PhaseUsage
from pytest_twin.telemetry.process_tree_linux import LinuxTree, NoMoreFilesError, parse_io

if sys.platform != "win32":
    from pytest_twin._system.stdlib import resource

Reading = Sequence[float]  # of getrusage(2); on Windows of os.times
Borders = list[Any]  # of a phase: the monotonic time and a reading where it begins, and the same where it ends
new_tuple = tuple.__new__  # makes a named tuple without a call of Python

JUST_NOW_S = 0.01
NO_READING: Reading = ()
NOT_COUNTED = b"0 0 0\n"  # schedstat of a kernel without this accounting; a thread that runs had a time slice
CURRENT_TEST = b"PYTEST_CURRENT_TEST"  # which pytest sets for each phase of a test
BLOCK = 512
if sys.platform == "win32":
    read_self: Callable[[], Reading] = os.times
else:
    read_self = partial(resource.getrusage, resource.RUSAGE_SELF)  # no call of Python, since each test makes six
    read_ended_children = partial(resource.getrusage, resource.RUSAGE_CHILDREN)
MAX_OPEN = 32  # processes and threads of which the files stay open


class ProcessCounters:
    """Reads the kernel's counters of this process and of its children; about 10 µs a test.

    Attributes:
        files: Those that `begin_test` and `end_test` use.
    """

    def __init__(self, own: Callable[[], Container[int | None]] = tuple) -> None:
        """Open the files of /proc.

        Args:
            own: Returns the ids of the sampler and the supervisor; what they and their children use is not counted.
        """
        self._own = own
        # Linux counts blocks of 512 bytes, other systems operations; where there is no such file, zeros (getrusage(2))
        self._has_io = parse_io(read_bytes(f"{PROC}/self/io")) != (None, None)
        self._no_counts = self._counts(())
        self._status = ReopeningProcFile("/proc/self/status", self._on_files_closed)
        self._statm = ReopeningProcFile("/proc/self/statm", self._on_files_closed)
        self._schedstat = ReopeningProcFile("/proc/thread-self/schedstat", self._on_files_closed)
        if self._schedstat.read() == NOT_COUNTED:
            self._schedstat.close()
        self._has_children_files = numbers_agree(PROC) and os.path.exists(f"{PROC}/self/task")
        self._children: dict[str, ReopeningProcFile] = {}  # of each thread
        self._processes = LinuxTree()
        self._inherited = _peak_of_process()  # at least the peak of the program that this one replaced (exec(2))
        self._newest = ReopeningProcFile(f"{PROC}/sys/kernel/ns_last_pid", self._on_files_closed)
        self._ended, self._last = NO_READING, ChildCounters(None, None, None, None)
        self._read_at = -math.inf  # when that was read
        self._childless = b""  # the newest process of the machine when there were no children
        try:
            self._clear_refs: Descriptor | None = Descriptor(_open_clear_refs)
        except OSError:
            self._clear_refs = None
        self._is_reset = self._clear_refs is not None
        files = self._statm.descriptor, self._schedstat.descriptor, self._newest.descriptor, self._clear_refs
        self.files = DescriptorGroup([each for each in files if each is not None])

    def begin_test(self, now: float) -> tuple[int | None, ChildCounters, int | None]:
        """Reset the peak of memory; return the resident memory, the counters of the children, and the wait for CPUs.

        The wait is that of the thread that made this object, in nanoseconds, and None where the kernel does not count.

        Its files have to be open (`DescriptorGroup.reopen_lost`). What was read of the children just now, at the end of
        the test before, is not read again: living children take some time.

        Args:
            now: The time, by the monotonic clock.
        """
        self._reset_peak_now()
        children = self._last if now - self._read_at <= JUST_NOW_S else self._children_now()
        statm, schedstat = self._statm.open_start(), self._schedstat.open_start()
        return _resident_in(statm), children, int(schedstat.split(None, 2)[1]) if schedstat else None

    def end_test(self) -> tuple[int | None, ChildCounters, int | None]:
        """Return the same figures at the end of a test, when its files are open."""
        schedstat, statm = self._schedstat.open_start(), self._statm.open_start()
        waited = int(schedstat.split(None, 2)[1]) if schedstat else None
        return _resident_in(statm), self._children_now(), waited

    def cpu_wait_ns(self) -> int | None:
        """Return the same wait for CPUs, at any time."""
        schedstat = self._schedstat.read()
        return int(schedstat.split(None, 2)[1]) if schedstat else None

    def usage(self, phases: Collection[Borders]) -> PhaseUsage:
        """Return what this process used in some phases, for all of them together."""
        user = system = 0.0
        first = late = NO_READING
        for _, early, _, late in phases:
            user += late[0] - early[0]
            system += late[1] - early[1]
            first = first or early
        if sys.platform == "win32":
            return PhaseUsage(user, system)
        counts = self._no_counts if first[7:] == late[7:] else self._counts(phases)  # most tests have none
        return new_tuple(PhaseUsage, (user, system, *counts))

    def _counts(self, phases: Iterable[Borders]) -> Sequence[float | None]:
        switches = faults = read = written = 0.0
        for _, early, _, late in phases:
            switches += late[14] - early[14] + late[15] - early[15]
            faults += late[7] - early[7]
            read += late[9] - early[9]
            written += late[10] - early[10]
        return (switches, faults, read * BLOCK, written * BLOCK) if self._has_io else (switches, faults, None, None)

    def read_children(self) -> ChildCounters:
        """Return the counters of the children; the same object as before if there are none and there were none."""
        self.files.reopen_lost()
        return self._children_now()

    def _children_now(self) -> ChildCounters:
        if sys.platform == "win32":
            return self._last
        else:  # noqa: RET505 - for the type checker, which knows no module `resource` there
            ended = read_ended_children()
            newest = self._newest.open_start()  # before the children, so that one that starts meanwhile is found later
            self._read_at = monotonic()
            if not newest or newest != self._childless or ended != self._ended:
                self._ended, self._last = ended, self._read_child_counters(ended, newest)
            return self._last

    def _read_child_counters(self, raw: Reading, newest: bytes) -> ChildCounters:
        ended = child_process.subtract_own_children(raw)
        unit = 1 if sys.platform == "darwin" else 1024
        living_s = self._living_cpu_s(newest)
        cpu_s = None if living_s is None else ended[0] + ended[1] + living_s
        read, written = (ended[9] * BLOCK, ended[10] * BLOCK) if self._has_io else (None, None)
        return ChildCounters(cpu_s, ended[2] * unit, read, written)

    def read_child_starts(self) -> ChildStarts | None:
        """Return a reading from which `ChildStarts.since` finds whether children were started; None on Windows.

        Even a child that ended at once had page faults, which its parent's counters get when it is waited for.
        """
        if sys.platform == "win32":
            return None
        else:  # noqa: RET505
            ended = child_process.subtract_own_children(resource.getrusage(resource.RUSAGE_CHILDREN))
            living = None
            if self._has_children_files:
                own = self._own()
                with suppress(OSError):  # the limit of open files is reached
                    living = frozenset(pid for pid in self._living_children() if pid not in own)
            return ChildStarts(ended[6] + ended[7] + ended[14] + ended[15], living)

    def orphans_cpu_s(self, since_boot_s: float, reaped_s: float) -> float:
        """Return an upper bound of the CPU seconds of orphans: processes of this test that no parent waited for.

        They are in no counter of a child. For orphans that ended it is what they used, or, once an ancestor of this
        process has waited for them, what all processes used that ancestors waited for; infinite while one lives. It
        reads all processes, which takes some milliseconds. A living process that left the session is not found.

        Args:
            since_boot_s: When the test began, as `seconds_since_boot` returned it.
            reaped_s: The result of `reaped_by_ancestors_s` at that time.
        """
        ended_s = self.reaped_by_ancestors_s() - reaped_s
        for state, cpu_s in self._orphans(since_boot_s):
            if state != b"Z":
                return math.inf
            ended_s += cpu_s
        return ended_s

    def _orphans(self, since_boot_s: float) -> Iterator[tuple[bytes, float]]:
        """Yield state and CPU seconds of each process of the POSIX session that started since and lost its parent.

        A process belongs to this test, and not to one of another pytest-xdist worker, by the name of the test in its
        environment, or without one by its process group.
        """
        if sys.platform != "linux" or not self._has_children_files:
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
                    its_test = _environment_variable(int(name), CURRENT_TEST)
                    if its_test == test if its_test is not None else int(fields[2]) == group:
                        yield fields[0], sum(map(int, fields[11:15])) / TICKS

    def reaped_by_ancestors_s(self) -> float:
        """Return the CPU seconds of processes that the ancestors of this one waited for, process 1 included."""
        if sys.platform == "win32" or not self._has_children_files:
            return 0.0
        ticks, pid = 0, os.getppid()
        while pid > 0:
            fields = read_bytes(f"{PROC}/{pid}/stat").rpartition(b")")[2].split(None, 15)
            if len(fields) < 16:
                break
            ticks += int(fields[13]) + int(fields[14])
            pid = int(fields[1])
        return ticks / TICKS

    def reset_peak(self) -> None:
        """Reset the peak of resident memory (proc_pid_clear_refs(5)), where the kernel allows it."""
        self.files.reopen_lost()
        self._reset_peak_now()

    def _reset_peak_now(self) -> None:
        if self._clear_refs is not None:
            try:
                os.write(self._clear_refs.fd, b"5")
                self._is_reset = True
            except OSError:  # it may work for the next test
                self._is_reset = False

    def peak_bytes(self, at_least: int = 0) -> int | None:
        """Return the peak of resident memory in bytes; None if it was not reset, so that it is not of this test.

        Args:
            at_least: The most that was read of the resident memory since the reset; the kernel's peak may lag behind
                it, and where it does, the result is anything up to this.
        """
        if not self._is_reset:
            return None
        highest = int(read_self()[2]) * 1024  # as in `_peak_of_process`
        if highest > self._inherited or highest <= at_least:  # it is of this program, and read several times as fast
            return highest
        self._inherited = highest
        text = self._status.read()
        begin = text.find(b"VmHWM:") + 6
        return int(text[begin : text.find(b"kB", begin)]) * 1024 if begin > 5 else None

    def resident_bytes(self) -> int | None:
        """Return the resident memory in bytes (proc_pid_statm(5), exact since Linux 6.17); None without /proc."""
        self.files.reopen_lost()
        return _resident_in(self._statm.open_start())

    def close(self) -> None:
        """Close all files."""
        self._processes.close()
        for kept in (self._status, self._statm, self._schedstat, self._newest, *self._children.values()):
            kept.close()
        if self._clear_refs is not None:
            self._clear_refs.close()
        self._clear_refs, self._is_reset = None, False
        self.files = DescriptorGroup(())

    def _on_files_closed(self) -> None:
        """Forget the files of children after a test closed descriptors of ours: others may have the numbers by now."""
        self._processes = LinuxTree()

    def _living_cpu_s(self, newest: bytes) -> float | None:
        """Return the CPU seconds of living children and their descendants; 0 without /proc, None if unreadable.

        Args:
            newest: The newest process of the machine, read before the children are.
        """
        if newest and newest == self._childless:
            return 0.0  # no process has started on this machine since there were no children
        try:
            own = self._own()
            pending = [pid for pid in self._living_children() if pid not in own]
            self._childless = b"" if pending else newest
            return self._cpu_below(pending)
        except OSError:  # this process has reached its limit of open files
            return None

    def _cpu_below(self, pending: list[int]) -> float:
        self._processes.refresh(detailed=False)
        cpu, count = 0.0, 0
        while pending:
            pid = pending.pop()
            if (process := self._processes.read(pid)) is not None:
                cpu += process.now[0]
                count += 1
                pending += process.children()
        if count > MAX_OPEN:
            self._processes.close()
        return cpu

    def _living_children(self) -> set[int]:
        """Return the children of this process: those of all its threads, also of threads that Python does not know.

        The threads are read from the last to the first: when a thread ends meanwhile, the kernel gives its children to
        the first one (`find_new_reaper` in kernel/exit.c), so they are found there.

        Raises:
            OSError: The limit of open files is reached.
        """
        try:
            threads = os.listdir(f"{PROC}/self/task") if self._has_children_files else []
        except FileNotFoundError:
            threads = []
        for gone in self._children.keys() - threads:
            self._children.pop(gone).close()
        found: set[int] = set()
        for thread in reversed(threads):
            kept = self._children.get(thread) or self._open_children_file(thread)
            found.update(map(int, kept.read().split()))
            if thread not in self._children:
                kept.close()
        return found

    def _open_children_file(self, thread: str) -> ReopeningProcFile:
        """Open the file with the children of a thread; only some stay open, since they count as files of the tests."""
        kept = ReopeningProcFile(f"{PROC}/self/task/{thread}/children", self._on_files_closed)
        if kept.is_refused:
            raise NoMoreFilesError
        if len(self._children) < MAX_OPEN:
            self._children[thread] = kept
        return kept


def _resident_in(statm: bytes) -> int | None:
    """Return the resident memory in bytes by the text of proc_pid_statm(5); None without one."""
    return int(statm.split(None, 2)[1]) * PAGE if statm else None


def _environment_variable(pid: int, name: bytes) -> bytes | None:
    """Return a variable of the environment that a process was started with, None if it has none."""
    for variable in read_bytes(f"{PROC}/{pid}/environ").split(b"\0"):
        if variable.startswith(name + b"="):
            return variable[len(name) + 1 :]
    return None


def _session_of(pid: int) -> int | None:
    """Return the session of a process, None if it is gone or not readable."""
    if sys.platform == "win32":
        return None
    try:
        return os.getsid(pid)
    except OSError:
        return None


def seconds_since_boot() -> float:
    """Return the seconds since boot, rounded down to the ticks in which /proc has the starts of processes."""
    if sys.platform != "linux":
        return 0.0
    return math.floor(time.clock_gettime(time.CLOCK_BOOTTIME) * TICKS) / TICKS


def _open_clear_refs() -> int:
    return os.open("/proc/self/clear_refs", os.O_WRONLY | getattr(os, "O_CLOEXEC", 0))


def _peak_of_process() -> int:
    """Return the peak of resident memory of this process in bytes, including the program that it replaced."""
    if sys.platform == "win32":
        return 0
    else:  # noqa: RET505
        return resource.getrusage(resource.RUSAGE_SELF)[2] * 1024
