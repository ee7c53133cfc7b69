"""Memory of the tests' processes together, bounded by a control group or by watching them (Linux only).

In addition the process of the tests gets a limit of its own data (RLIMIT_DATA, getrlimit(2)), so that a test that
allocates too much gets MemoryError and the run goes on, where the kernel would kill the process. The limit counts
memory that is reserved, also if it is not resident yet: the stack of a thread, for example. Children inherit it.

Pages stay charged to the group in which they were allocated: what the processes had before is subtracted from the
limit, until they free it. The watcher counts private pages only, those that forked processes share by parts.
"""

from __future__ import annotations

import os
import resource
import signal
import sys
import time

from pytest_twin.stressors.constraint import guardian, process_tree, target
from pytest_twin.stressors.system.capacity import MIB, counts, number, oom_kills_in, text

assert sys.platform == "linux"  # noqa: S101 - for the type checker: this module is for Linux only

PAGE = os.sysconf("SC_PAGE_SIZE")
ADJUST_EVERY_S = 0.5
WATCH_EVERY_S = 0.01
WATCH_SHARE = 0.01  # of the time, at most, for watching
XDIST_WORKER = b"exec(eval("  # in the command line of a worker


class GroupMemory:
    """Memory, limited by a control group; the kernel kills a process that needs more."""

    def __init__(self, tests: target.Target) -> None:
        """Put it in force.

        Raises:
            OSError: That is not possible here.
            ValueError: The processes use more already.
        """
        self._tests = tests
        self._most: int = tests.options["mem"]
        self._group = tests.groups.find("memory")
        self.backend = self._group.backend
        self._elsewhere = _check_usage(tests)
        self._data = DataLimit(tests, self._elsewhere)
        self._kills = 0
        self.resume()
        self._group.adopt(tests.outside)

    def restart(self) -> None:
        """Count processes that the kernel kills from now on."""
        self._kills = self._oom_kills()

    def step(self, now: float) -> float:
        """Raise the limit by what the processes have freed of what they had before."""
        self._group.release_helpers()
        charged = counts(self._group.folder, "memory.stat")
        own = charged.get("total_rss") or charged.get("anon") or 0
        elsewhere = max(0, sum(private_bytes(pid) for pid in self._tests_processes()) - own)
        if elsewhere < self._elsewhere - MIB:
            self._elsewhere = elsewhere
            self.resume()
        return now + ADJUST_EVERY_S

    def resume(self) -> None:
        """Set the limits."""
        limit = str(self._most - self._elsewhere)
        if self._group.version == 2:
            self._group.write("memory.max", limit)
            if self._group.read("memory.swap.max"):
                self._group.write("memory.swap.max", "0")
        else:
            self._group.lift("memory")  # the limit with swap may not be below the other one at any time
            self._group.write("memory.limit_in_bytes", limit)
            if self._group.read("memory.memsw.limit_in_bytes"):
                self._group.write("memory.memsw.limit_in_bytes", limit)
        self._data.set()

    def lift(self) -> None:
        """Set no limits."""
        self._group.lift("memory")
        self._data.lift()

    def figures(self) -> target.Figures:
        """Return the largest use and the number of processes that were killed."""
        peak = number(self._group.folder, "memory.peak") or number(self._group.folder, "memory.max_usage_in_bytes")
        found: target.Figures = {"oom_kills": self._oom_kills() - self._kills}
        return found if peak is None else {**found, "peak_bytes": peak + self._elsewhere}

    def _oom_kills(self) -> int:
        return oom_kills_in(self._group.folder) or 0

    def _tests_processes(self) -> list[int]:
        return list(process_tree.tree(self._tests.pid, self._tests.outside))


class WatchedMemory:
    """Memory without rights: the largest child is killed when the processes use more than the limit together."""

    backend = "memory watch"

    def __init__(self, tests: target.Target) -> None:
        """Put it in force.

        Raises:
            OSError: The processes belong to another user.
            ValueError: They use more already.
        """
        self._tests = tests
        self._most: int = tests.options["mem"]
        used = _check_usage(tests)
        os.kill(tests.pid, 0)
        self._may_kill_root = _is_child_of_ours(tests.pid)
        self._data = DataLimit(tests, used)
        self._data.set()
        self._is_lifted = False
        self._peak = used
        self._kills = self._victim = 0

    def restart(self) -> None:
        """Count processes that are killed from now on."""
        self._kills = 0

    def step(self, now: float) -> float:
        """Kill the largest child if the processes use too much."""
        sizes = {pid: private_bytes(pid) for pid in process_tree.tree(self._tests.pid, self._tests.outside)}
        if sum(sizes.values()) > self._most:  # forked processes share pages, which are counted more than once here
            sizes = {pid: proportional_bytes(pid, size) for pid, size in sizes.items()}
        used = sum(sizes.values())
        self._peak = max(self._peak, used)
        if used > self._most and not self._is_lifted:
            self._kill_largest(sizes)
        return now + max(WATCH_EVERY_S, (time.monotonic() - now) / WATCH_SHARE)

    def lift(self) -> None:
        """Kill nothing, and set no limit."""
        self._is_lifted = True
        self._data.lift()

    def resume(self) -> None:
        """Watch again."""
        self._is_lifted = False
        self._data.set()

    def figures(self) -> target.Figures:
        """Return the largest use and the number of processes that were killed."""
        return {"oom_kills": self._kills, "peak_bytes": self._peak}

    def _kill_largest(self, sizes: dict[int, int]) -> None:
        root = self._tests.pid
        below = {pid: size for pid, size in sizes.items() if pid != root}
        if sizes.get(root, 0) > self._most and self._may_kill_root:
            below = {root: sizes[root]}
        if below:
            victim = max(below, key=lambda pid: below[pid])
            try:
                os.kill(victim, signal.SIGKILL)
                self._kills += victim != self._victim  # which keeps its memory until it gets a CPU to end on
                self._victim = victim
            except OSError:  # it has just ended, or runs as another user
                pass


class DataLimit:
    """The limit of the data of the tests' own process: as much as all processes may still use together."""

    def __init__(self, tests: target.Target, used: int) -> None:
        self._tests = tests
        self._before = resource.prlimit(tests.pid, resource.RLIMIT_DATA)
        soft, hard = self._before
        most = _data_bytes(tests.pid) + tests.options["mem"] - used
        finite = [most, *(limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY)]
        self._limit = min(finite)

    def set(self) -> None:
        """Set it."""
        self._tests.journal.add(
            "data limit", pid=self._tests.pid, outside=sorted(self._tests.outside), limit=self._limit,
            before=self._before[0],
        )  # fmt: skip
        resource.prlimit(self._tests.pid, resource.RLIMIT_DATA, (self._limit, self._before[1]))

    def lift(self) -> None:
        """Restore the limit that the process had."""
        self._tests.journal.undo_kind("data limit")


def undo_data_limit(record: guardian.Record) -> None:
    """Restore the limit of the processes that have it, or have inherited it."""
    for pid in process_tree.tree(record["pid"], set(record["outside"])):
        try:
            soft, hard = resource.prlimit(pid, resource.RLIMIT_DATA)
            if soft == record["limit"] != record["before"]:
                resource.prlimit(pid, resource.RLIMIT_DATA, (record["before"], hard))
        except OSError:  # it has just ended, or runs as another user
            continue


def private_bytes(pid: int) -> int:
    """Return the resident bytes of a process without files and shared memory; 0 if it has ended."""
    fields = text(f"/proc/{pid}", "statm").split()
    return (int(fields[1]) - int(fields[2])) * PAGE if fields else 0


def proportional_bytes(pid: int, otherwise: int) -> int:
    """Return the same with pages that several processes share divided by their number; a default if it is not known."""
    for line in text(f"/proc/{pid}", "smaps_rollup").splitlines():
        name, _, value = line.partition(":")
        if name == "Pss_Anon":
            return int(value.split()[0]) * 1024
    return otherwise


def _check_usage(tests: target.Target) -> int:
    """Return the bytes that the processes use already.

    Raises:
        ValueError: They are more than allowed.
    """
    sizes = [proportional_bytes(pid, private_bytes(pid)) for pid in process_tree.tree(tests.pid, tests.outside)]
    used, most = sum(sizes), tests.options["mem"]
    if used >= most:
        raise ValueError(f"the tests use {used / MIB:.0f} MiB already, which is not below {most / MIB:.0f} MiB")
    return used


def _data_bytes(pid: int) -> int:
    for line in text(f"/proc/{pid}", "status").splitlines():
        name, _, value = line.partition(":")
        if name == "VmData":
            return int(value.split()[0]) * 1024
    return 0


def _is_child_of_ours(pid: int) -> bool:
    """Return whether the end of a process is noticed: by pytest-xdist, or by the program that started it and us."""
    stat, supervisor = process_tree.read_stat(pid), process_tree.read_stat(os.getppid())
    is_sibling = stat is not None and supervisor is not None and stat.parent == supervisor.parent
    return is_sibling or XDIST_WORKER in text(f"/proc/{pid}", "cmdline").encode()
