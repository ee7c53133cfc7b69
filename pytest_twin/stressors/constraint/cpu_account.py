"""The CPU time of a tree of processes in nanoseconds, also of processes that have ended (Linux only)."""

from __future__ import annotations

import os
import sys
import time

from pytest_twin.stressors.constraint import process_tree

assert sys.platform == "linux"  # noqa: S101 - for the type checker: this module is for Linux only

WALK_ALL_EVERY_S = 0.5
MOST_CHECKS = 3  # whether a new process is a helper: at first it may not have its program yet
JUMP_S = 0.1  # more than all CPUs can have used was used by helpers, which a process of the tests has waited for


class TrackedProcess:
    """A process of the tests, with the last readings of its CPU clocks in nanoseconds.

    Attributes:
        pid: Its process id.
        start: When it was started, in clock ticks since boot.
        parent: Its parent, None if that is not one of the tests' processes.
        is_alive: Whether it still exists.
        is_mine: Whether it may be stopped and continued: nobody else has stopped it, and it belongs to this user.
        own_ns: What it has used.
        before_ns: What it had used at the reading before the last.
        waited_ns: What the children used that it has waited for; the kernel counts it in clock ticks.
        checks: How often it was looked at whether it is a helper.
        credit_ns: What its children had used at their last reading before they ended.
    """

    __slots__ = (
        "base_ns", "before_ns", "checks", "credit_ns", "is_alive", "is_mine", "own_ns", "parent", "pid", "start",
        "waited_ns", "walked_ns",
    )  # fmt: skip

    def __init__(self, pid: int, stat: process_tree.ProcessStat, parent: TrackedProcess | None) -> None:
        self.pid, self.start, self.parent = pid, stat.start, parent
        self.is_alive = self.is_mine = True
        self.own_ns = self.before_ns = self.base_ns = self.credit_ns = 0
        self.waited_ns = stat.children_ns
        self.walked_ns = -1
        self.checks = 0

    def total_ns(self) -> int:
        """Return what it and its ended children have used since it is tracked."""
        return self.own_ns + max(self.waited_ns, self.credit_ns) - self.base_ns


class CpuAccount:
    """The CPU time of a tree of processes, also of those that have ended, and the processes themselves.

    Attributes:
        total_ns: CPU nanoseconds at the last reading.
        processes: The processes that exist, by process id, each after its parent.
    """

    def __init__(self, root: int, outside: set[int]) -> None:
        self._outside = set(outside)
        self._cpus = os.cpu_count() or 1
        self._read_at = time.monotonic()
        self._ended_ns = self.total_ns = 0
        self._last_pid = os.open(_last_pid_file(), os.O_RDONLY | os.O_CLOEXEC)
        self._seen_pid = b""
        self._walked_at = self._walk_s = self._walked_all_at = 0.0
        self._has_unchecked = False
        self.processes: dict[int, TrackedProcess] = {}
        self._add(root, None)
        self.walk()
        for process in self.processes.values():
            process.base_ns = process.own_ns + process.waited_ns  # before the constraint

    def read(self) -> int:
        """Read the CPU clocks and return the total nanoseconds; it never decreases."""
        ended = []
        total = 0
        for process in self.processes.values():
            try:
                own_ns = process_tree.cpu_ns(process.pid)
            except OSError:
                own_ns = -1
            if own_ns < process.own_ns:  # it has ended, and its id may be in use again
                ended.append(process)
            else:
                process.before_ns, process.own_ns = process.own_ns, own_ns
                total += process.total_ns()
        if ended:
            self._on_exit(ended)
            total = sum(process.total_ns() for process in self.processes.values())
        now = time.monotonic()
        most = self.total_ns + round((self._cpus * (now - self._read_at) + JUMP_S) * 1e9)
        self._read_at = now
        total += self._ended_ns
        if total > most:
            self._ended_ns -= total - most
            total = most
        self.total_ns = max(self.total_ns, total)
        return self.total_ns

    def has_started(self) -> bool:
        """Return whether any process of the system was started since the last walk, or may have its program by now."""
        is_due = self._has_unchecked and time.monotonic() - self._walked_all_at > WALK_ALL_EVERY_S
        return is_due or os.pread(self._last_pid, 64, 0) != self._seen_pid

    def walk_if_due(self, now: float, share: float) -> bool:
        """Look for new processes, unless that takes more than a share of the time; return whether there are any."""
        return now - self._walked_at >= self._walk_s / share and bool(self.walk())

    def walk(self) -> list[TrackedProcess]:
        """Look for new processes and return them: children of those that have run since the last walk."""
        self._walked_at = began = time.monotonic()
        self._seen_pid = os.pread(self._last_pid, 64, 0)
        walks_all = began - self._walked_all_at > WALK_ALL_EVERY_S  # for those that have changed their parent
        if walks_all:
            self._walked_all_at = began
            self._forget_helpers()
        new: list[TrackedProcess] = []
        queue = list(self.processes.values())
        for process in queue:
            if process.own_ns == process.walked_ns and not walks_all:
                continue
            process.walked_ns = process.own_ns
            for pid in process_tree.children(process.pid, self._refresh(process)):
                known = self.processes.get(pid)
                if known is not None:
                    known.parent = process
                elif pid not in self._outside and (added := self._add(pid, process)):
                    new.append(added)
                    queue.append(added)
        self._walk_s = time.monotonic() - began
        return new

    def close(self) -> None:
        """Close its file."""
        os.close(self._last_pid)

    def _add(self, pid: int, parent: TrackedProcess | None) -> TrackedProcess | None:
        stat = process_tree.read_stat(pid)
        if stat is None or stat.state in "ZX":
            return None
        process = TrackedProcess(pid, stat, parent)
        try:
            process.own_ns = process_tree.cpu_ns(pid)
        except OSError:  # it has just ended
            return None
        self.processes[pid] = process
        self._has_unchecked = True
        return process

    def _on_exit(self, ended: list[TrackedProcess]) -> None:
        """Credit what processes used to the nearest ancestor, which may wait for them, or has done so."""
        for process in ended:
            del self.processes[process.pid]
            process.is_alive = False
        for process in reversed(ended):  # children before parents
            ancestor = process.parent
            while ancestor is not None and not ancestor.is_alive and ancestor not in ended:
                ancestor = ancestor.parent
            if ancestor is None:
                self._ended_ns += process.total_ns()
            else:
                ancestor.credit_ns += process.total_ns()
                self._refresh(ancestor)

    def _forget_helpers(self) -> None:
        """Forget supervisors, stressors, samplers and exporters, which a run within the tree has started."""
        for process in list(self.processes.values()):
            process.checks += 1
            is_below = process.parent is not None and process.parent.pid in self._outside
            if is_below or (process.checks <= MOST_CHECKS and process_tree.is_helper(process.pid)):
                del self.processes[process.pid]
                self._ended_ns += process.total_ns()
                self._outside.add(process.pid)
        self._has_unchecked = any(process.checks < MOST_CHECKS for process in self.processes.values())

    @staticmethod
    def _refresh(process: TrackedProcess) -> int:
        """Read what the children used that a process has waited for; return its number of threads."""
        stat = process_tree.read_stat(process.pid)
        if stat is None or stat.start != process.start:
            return 0
        process.waited_ns = max(process.waited_ns, stat.children_ns)
        return stat.threads


def _last_pid_file() -> str:
    """Return the file that changes when a process is started.

    Raises:
        OSError: There is none, or the kernel does not list the children of a process.
    """
    if not os.path.exists("/proc/self/task"):
        raise OSError("there is no /proc")
    if not os.path.exists(f"/proc/self/task/{os.getpid()}/children"):
        raise OSError("the kernel does not list the children of a process (CONFIG_PROC_CHILDREN)")
    file = "/proc/sys/kernel/ns_last_pid"
    return file if os.access(file, os.R_OK) else "/proc/loadavg"
