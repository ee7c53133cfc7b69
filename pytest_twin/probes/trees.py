"""Two process trees of the run: the tests' and the stressors'. What is in neither is the rest of the machine.

CPU comes from each process's own clock, in nanoseconds (clock_getcpuclockid(3)), and from what its parent was told of
children that ended, so that a child that lived between two rows keeps its CPU in the account.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pytest_twin.model.columns import Column, Value
from pytest_twin.probes import Context
from pytest_twin.probes.kernel import LINUX, MIB, PAGE, PROC, TICKS, Delta, read_bytes
from stressors.name import PROCESS_NAME

COLUMNS = (
    Column("tests_cpu_percent", "%", "CPU time of the tests' processes, as a share of the host.", 1),
    Column("tests_resident_MB", "MiB", "Memory resident in them; shared pages count in each.", 1),
    Column("tests_process_count", "", "How many they are.", 0),
    Column("stress_cpu_percent", "%", "CPU time of the stressors, as a share of the host.", 1),
    Column("stress_resident_MB", "MiB", "Memory resident in them.", 1),
    Column("stress_process_count", "", "How many they are, their supervisor included.", 0),
)


ROUNDING_S = 0.1


class Member(NamedTuple):
    """One process of a tree."""

    pid: int
    cpu_s: float  # its own and that of its children that ended
    resident: int  # bytes


def probe(context: Context) -> Trees:
    """The reader for this machine."""
    if not LINUX:
        return Trees(context, Portable())
    tells_children = os.path.exists(f"{PROC}/self/task/{os.getpid()}/children")
    return Trees(context, Linux() if tells_children else LinuxByParent())


class Trees:
    """Walks down from the run's root, and parts the stressors from the tests."""

    def __init__(self, context: Context, source: Linux | Portable) -> None:
        self._context = context
        self._source = source
        self._delta = Delta()
        self._most: dict[str, float] = {}
        self._cpus = os.cpu_count() or 1
        self._supervisors: dict[int, float] = {}  # CPU seconds of each one's tree
        self._reaped = 0.0  # CPU seconds of supervisors that ended: in their parent's account, but no test's

    def read(self, at: float) -> Sequence[Value]:
        """One value a column."""
        tests: list[Member] = []
        stress: list[Member] = []
        supervisors: dict[int, float] = {}
        self._source.refresh()
        for member, supervises in self._walk(self._context.root):
            if supervises:
                below = [found for found, _ in self._walk(member.pid, within=True)]
                stress += below
                supervisors[member.pid] = sum(each.cpu_s for each in below)
            else:
                tests.append(member)
        self._reaped += sum(cpu for pid, cpu in self._supervisors.items() if pid not in supervisors)
        self._supervisors = supervisors
        tests_cpu = sum(member.cpu_s for member in tests) - self._reaped
        stress_cpu = sum(supervisors.values()) + self._reaped
        return (
            *self._row("tests", tests if self._context.has_tests else None, tests_cpu, at),
            *self._row("stress", stress, stress_cpu, at),
        )

    def _walk(self, root: int, *, within: bool = False) -> Iterator[tuple[Member, bool]]:
        """The processes from there down, this one left out; a supervisor is named, but not entered unless within it."""
        pending = [root]
        while pending:
            pid = pending.pop()
            found = None if pid == os.getpid() else self._source.member(pid)
            if found is not None:
                member, name = found
                supervises = name == PROCESS_NAME and not within
                yield member, supervises
                if not supervises:
                    pending += self._source.children(pid)

    def _row(self, name: str, members: list[Member] | None, cpu_s: float, at: float) -> tuple[Value, Value, Value]:
        if members is None:
            return None, None, None
        # a child's account is rounded to ticks when it is reaped, which may take some milliseconds back; what takes
        # more is a process that left the tree without an account, such as a daemon: begin anew, with an empty cell
        most = self._most.get(name, 0.0)
        self._most[name] = max(cpu_s, most) if cpu_s > most - ROUNDING_S else cpu_s
        share = self._delta.share(name, self._most[name] / self._cpus, at)
        return share, sum(member.resident for member in members) / MIB, len(members)


class Linux:
    """From /proc/PID/stat and task/TID/children (proc_pid_stat(5))."""

    def __init__(self, proc: str = PROC) -> None:
        self._proc = proc

    def refresh(self) -> None:
        """A new row begins."""

    def member(self, pid: int) -> tuple[Member, str] | None:
        """A process and its name, None if it is gone."""
        if sys.platform == "win32":
            return None
        before, _, after = read_bytes(f"{self._proc}/{pid}/stat").rpartition(b")")
        fields = after.split(None, 23)
        if len(fields) < 23:
            return None
        user, system, child_user, child_system = (int(field) / TICKS for field in fields[11:15])
        try:
            own = time.clock_gettime_ns(~pid << 3 | 2) / 1e9
        except OSError:  # a process that has ended and waits to be reaped has no clock any more
            own = user + system
        member = Member(pid, own + child_user + child_system, int(fields[21]) * PAGE)
        return member, before.partition(b"(")[2].decode("ascii", "replace")

    def children(self, pid: int) -> list[int]:
        """The children of all its threads."""
        try:
            threads = os.listdir(f"{self._proc}/{pid}/task")
        except OSError:
            return []
        return [
            int(child) for tid in threads for child in read_bytes(f"{self._proc}/{pid}/task/{tid}/children").split()
        ]


class LinuxByParent(Linux):
    """For kernels without CONFIG_PROC_CHILDREN: every process is asked for its parent."""

    def __init__(self, proc: str = PROC) -> None:
        super().__init__(proc)
        self._children: dict[int, list[int]] = {}

    def refresh(self) -> None:
        """A new row begins: look at all processes once."""
        self._children = {}
        for name in filter(str.isdecimal, os.listdir(self._proc)):
            after = read_bytes(f"{self._proc}/{name}/stat").rpartition(b")")[2].split(None, 2)
            if len(after) > 1:
                self._children.setdefault(int(after[1]), []).append(int(name))

    def children(self, pid: int) -> list[int]:
        """Its children."""
        return self._children.get(pid, [])


class Portable:
    """The same from psutil, with the Process objects kept."""

    def __init__(self) -> None:
        import psutil

        self._psutil = psutil
        self._known: dict[int, Any] = {}
        self._seen: dict[int, Any] = {}

    def refresh(self) -> None:
        """A new row begins: processes that the last one did not see are forgotten."""
        self._known, self._seen = self._seen, {}

    def member(self, pid: int) -> tuple[Member, str] | None:
        """A process and its name, None if it is gone."""
        try:
            process = self._known.get(pid)
            if process is None or not process.is_running():
                process = self._psutil.Process(pid)
            self._seen[pid] = process
            with process.oneshot():
                times, memory = process.cpu_times(), process.memory_info()
                supervises = any(
                    part.replace("\\", "/").endswith("stressors/__main__.py") for part in process.cmdline()
                )
            cpu = times.user + times.system + getattr(times, "children_user", 0) + getattr(times, "children_system", 0)
            return Member(pid, cpu, memory.rss), PROCESS_NAME if supervises else ""
        except self._psutil.Error:
            return None

    def children(self, pid: int) -> list[int]:
        """Its children."""
        try:
            return [child.pid for child in self._seen[pid].children()]
        except (KeyError, self._psutil.Error):
            return []
