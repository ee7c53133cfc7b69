"""Two process trees of the run: the tests' and the stressors'. What is in neither is the rest of the machine.

CPU comes from each process's own clock, in nanoseconds (clock_getcpuclockid(3)), and from what its parent was told of
children that ended, so that a child that lived between two rows keeps its CPU in the account; so does its I/O.
"""

from __future__ import annotations

import os

from pytest_twin.model.columns import Column
from pytest_twin.probes.kernel import LINUX, MIB, PROC, Growth
from stressors.name import PROCESS_NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_twin.model.columns import Value
    from pytest_twin.probes import Context
    from pytest_twin.probes.tree_sources import Linux, Member, Portable


def _columns(name: str, whose: str) -> tuple[Column, ...]:
    return (
        Column(f"{name}_cpu_percent", "%", f"CPU time of the {whose}' processes, as a share of the host. Exact.", 2),
        Column(f"{name}_resident_MB", "MiB", "Memory resident in them; shared pages count in each.", 1),
        Column(f"{name}_process_count", "", "How many they are.", 0),
        Column(f"{name}_thread_count", "", "Threads in them.", 0),
        Column(f"{name}_open_files", "", "Descriptors that they have open.", 0),
        Column(f"{name}_read_MB", "MiB", "Read by them from disks since the last row.", 3),
        Column(f"{name}_write_MB", "MiB", "Written by them to disks since the last row.", 3),
    )


COLUMNS = (*_columns("tests", "tests"), *_columns("stress", "stressors"))
ROUNDING_S = 0.1


def probe(context: Context) -> Trees:
    """The reader for this machine."""
    from pytest_twin.probes.tree_sources import Linux, LinuxByParent, Portable

    if not LINUX:
        return Trees(context, Portable())
    tells_children = os.path.exists(f"{PROC}/self/task/{os.getpid()}/children")
    return Trees(context, Linux() if tells_children else LinuxByParent())


class Trees:
    """Walks down from the run's root, and parts the stressors from the tests."""

    def __init__(self, context: Context, source: Linux | Portable) -> None:
        self._context = context
        self._source = source
        cpus = os.cpu_count() or 1
        self._tests, self._stress = Tree(cpus), Tree(cpus)
        self._supervisors: dict[int, Used] = {}  # what each one's tree used
        self._reaped = Used()  # by supervisors that ended: in their parent's account, but no test's
        self._pid = os.getpid()

    def read(self, at: float) -> Sequence[Value]:
        """One value a column."""
        self._source.refresh()
        tests, supervisors = self._walk(self._context.root)
        stress: list[Member] = []
        used: dict[int, Used] = {}
        for pid in supervisors:
            below, _ = self._walk(pid, within=True)
            stress += below
            used[pid] = Used.of(below)
        for pid, before in self._supervisors.items():
            if pid not in used:
                self._reaped += Used(before.cpu_s, before.read or 0, before.written or 0)  # not unknown for ever after
        self._supervisors = used
        return (
            *self._tests.row(tests if self._context.has_tests else None, Used.of(tests, -1, self._reaped), at),
            *self._stress.row(stress, Used.of(stress, 1, self._reaped), at),
        )

    def _walk(self, root: int, *, within: bool = False) -> tuple[list[Member], list[int]]:
        """The processes from there down, this one left out, and the supervisors, not entered unless within one."""
        members: list[Member] = []
        supervisors: list[int] = []
        pending = [root]
        while pending:
            pid = pending.pop()
            member = None if pid == self._pid else self._source.member(pid)
            if member is None:
                continue
            if member.name == PROCESS_NAME and not within:
                supervisors.append(pid)
            else:
                members.append(member)
                pending += self._source.children(pid)
        return members, supervisors


class Used:
    """What processes used up since they began: CPU seconds, bytes read and written, None where it is not told."""

    __slots__ = ("cpu_s", "read", "written")

    def __init__(self, cpu_s: float = 0.0, read: float | None = 0, written: float | None = 0) -> None:
        self.cpu_s, self.read, self.written = cpu_s, read, written

    @classmethod
    def of(cls, members: Sequence[Member], sign: int = 1, other: Used | None = None) -> Used:
        """All of them together, and something else besides, added or taken off."""
        cpu, read, written = (0.0, 0, 0) if other is None else (sign * other.cpu_s, other.read, other.written)
        return cls(
            cpu + sum([member.cpu_s for member in members]),
            total([member.read for member in members], sign, read),
            total([member.written for member in members], sign, written),
        )

    def __add__(self, other: Used) -> Used:
        return Used(
            self.cpu_s + other.cpu_s, total([self.read], 1, other.read), total([self.written], 1, other.written)
        )


class Tree:
    """One of the two, from row to row."""

    def __init__(self, cpus: int) -> None:
        self._cpus = cpus
        self._cpu, self._io = Growth(), Growth()
        self._most = 0.0

    def row(self, members: Sequence[Member] | None, used: Used, at: float) -> Sequence[Value]:
        """The values of its columns, empty where there is no such tree."""
        if members is None:
            return NOTHING
        # a child's account is rounded to ticks when it is reaped, which may take some milliseconds back; what takes
        # more is a process that left the tree without an account, such as a daemon: begin anew, with an empty cell
        self._most = max(used.cpu_s, self._most) if used.cpu_s > self._most - ROUNDING_S else used.cpu_s
        read, written = self._io.amounts((used.read, used.written), at)
        return (
            self._cpu.shares((self._most,), at, self._cpus)[0],
            sum([member.resident for member in members]) / MIB,
            len(members),
            total([member.threads for member in members]),
            total([member.files for member in members]),
            None if read is None else read / MIB,
            None if written is None else written / MIB,
        )


NOTHING = (None,) * (len(COLUMNS) // 2)


def total(values: Sequence[float | None], sign: int = 1, other: float | None = 0) -> float | None:
    """The sum; of what is not known in full there is none."""
    try:
        return sum(values, sign * other)  # type: ignore[arg-type,operator]
    except TypeError:
        return None
