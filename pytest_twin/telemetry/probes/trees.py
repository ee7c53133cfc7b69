"""The process trees of the run: that of the tests and that of the stressors.

CPU time is the sum of each process's own clock, in nanoseconds (clock_getcpuclockid(3)), and its counter of children
that ended, so that the CPU time of a child that lived between two rows is not lost; the same holds for its I/O.

A process takes some microseconds to read. Trees with n > `ALWAYS_READ` processes are read only every n / `READ_PER_S`
seconds; the rows in between have the last values. The counters are cumulative, so no CPU time and no I/O is lost.
"""

from __future__ import annotations

import os

from pytest_twin._system.procfs import LINUX, MIB, PROC, numbers_agree
from pytest_twin.model.columns import Column
from pytest_twin.telemetry.counters import ONLY_ONCE, SELDOM_S, CounterDelta

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from pytest_twin.model.columns import Value
    from pytest_twin.telemetry.probes import ProbeContext
    from pytest_twin.telemetry.process_tree_linux import ProcessSource, TreeProcess

    Used = tuple[float, float, float]  # CPU seconds, bytes read and written


ALWAYS_READ = 100
READ_PER_S = 300


def _columns(name: str, processes: str) -> tuple[Column, ...]:
    return (
        Column(
            f"{name}_cpu_percent",
            "%",
            f"CPU time of the {processes} as a share of all CPUs of the host; exact, including ended processes. "
            f"With n > {ALWAYS_READ} processes of tests and stressors, all of their columns are read every "
            f"n / {READ_PER_S} seconds, and cover the time since the last reading.",
            window_s=0.0,
        ),
        Column(
            f"{name}_resident_MB",
            "MiB",
            f"Resident memory of the {processes}; shared pages count once for each process.",
            1,
        ),
        Column(f"{name}_process_count", "", f"Number of the {processes}.", 0),
        Column(f"{name}_thread_count", "", f"Number of threads of the {processes}.", 0),
        Column(
            f"{name}_open_files",
            "",
            f"Number of file descriptors that the {processes} have open; read twice a second.",
            0,
        ),
        Column(
            f"{name}_read_MB",
            "MiB",
            f"Data read from disks by the {processes} since the last row; read twice a second.",
            3,
            is_amount=True,
            window_s=SELDOM_S,
        ),
        Column(
            f"{name}_write_MB",
            "MiB",
            f"Data written by the {processes} since the last row, as `written_MB` in tests.csv; read twice a second.",
            3,
            is_amount=True,
            window_s=SELDOM_S,
        ),
    )


COLUMNS = (*_columns("tests", "processes of the tests"), *_columns("stress", "processes of the stressors"))
ROUNDING_S = 0.1
AMOUNTS = {at for at, column in enumerate(COLUMNS) if column.is_amount}


def probe(context: ProbeContext) -> TreesProbe | NoTrees:
    """Return the probe for this machine."""
    if not LINUX:
        from pytest_twin.telemetry.process_tree_psutil import PortableTree

        return TreesProbe(context, PortableTree())
    if not numbers_agree():
        return NoTrees()
    from pytest_twin.telemetry.process_tree_linux import LinuxTree, LinuxTreeByParent

    has_children_files = os.path.exists(f"{PROC}/self/task/{os.getpid()}/children")
    return TreesProbe(context, LinuxTree() if has_children_files else LinuxTreeByParent())


class NoTrees:
    """For a /proc that has other process ids than this process, or none at all."""

    every_s = ONLY_ONCE
    warning = (
        f"the process trees cannot be read, so their columns are empty: {PROC} does not list the sampler under "
        "its own process id; mount it for this PID namespace"
    )

    def read(self, at: float) -> Sequence[Value]:  # noqa: ARG002
        """Return no values."""
        return (*NOTHING, *NOTHING)


class TreesProbe:
    """Walks down from the roots of the run and separates the stressors from the tests."""

    def __init__(self, context: ProbeContext, source: ProcessSource) -> None:
        self._roots, self._workers_dir, self._source = [context.root], context.workers_dir, source
        cpus = os.cpu_count() or 1
        self._tests, self._stress = TreeTotals(cpus) if context.has_tests else NoTreeTotals(), TreeTotals(cpus)
        self._supervisors: dict[int, list[float | None]] = {}  # CPU and I/O of the tree of each
        # CPU and I/O of ended supervisors: in the counters of their parent, but of no test
        self._reaped: Used = (0.0, 0.0, 0.0)
        self._due = self._walk_at = float("-inf")
        self._last: Sequence[Value] = ()  # the values of the last walk, without amounts
        self._pid = os.getpid()

    def read(self, at: float) -> Sequence[Value]:
        """Return one value for each column."""
        if at < self._walk_at:
            return self._last
        detailed = at >= self._due
        if detailed:
            self._due = at + SELDOM_S
            self._roots[1:] = self._others()
        self._source.refresh(detailed)
        tests, supervisors = self._walk(self._roots)
        stress = self._follow(supervisors) if supervisors or self._supervisors else NO_PROCESSES
        cpu_s, read, written = self._reaped
        values = self._tests.row(tests, (-cpu_s, -read, -written), at, detailed) + self._stress.row(
            stress, self._reaped, at, detailed
        )
        if (count := len(tests) + len(stress)) > ALWAYS_READ:
            self._walk_at = at + count / READ_PER_S
            self._last = [0.0 if value and place in AMOUNTS else value for place, value in enumerate(values)]
        return values

    def read_last(self, at: float) -> Sequence[Value]:
        """Return the same with all details, however recent the last ones are."""
        self._due = self._walk_at = float("-inf")
        return self.read(at)

    def _others(self) -> list[int]:
        """Return the ids of the other processes that run tests; they come and go."""
        try:
            return (
                [int(name) for name in os.listdir(self._workers_dir) if name.isdecimal()] if self._workers_dir else []
            )
        except OSError:
            return []

    def _walk(self, roots: Sequence[int], *, within: bool = False) -> tuple[list[TreeProcess], list[int]]:
        """Return the processes from the roots down without this one, and the supervisors, entered only if `within`."""
        found: list[TreeProcess] = []
        supervisors: list[int] = []
        pending = [*roots]
        for pid in pending:  # which grows
            if pid == self._pid or (process := self._source.read(pid)) is None:
                continue
            if process.supervises and not within:
                supervisors.append(pid)
            else:
                found.append(process)
                if children := process.children():
                    pending += children
        return found, supervisors

    def _follow(self, supervisors: Sequence[int]) -> list[TreeProcess]:
        """Return the processes of these supervisors, and add up what ended ones used."""
        found: list[TreeProcess] = []
        used: dict[int, list[float | None]] = {}
        for pid in supervisors:
            below, _ = self._walk([pid], within=True)
            found += below
            used[pid] = [_totals([each.now for each in below])[0], *_details(below)[1:]]
        for pid, before in self._supervisors.items():
            if pid not in used:  # an unknown figure counts as 0, or the sums would stay unknown
                cpu_s, read, written = (one + (other or 0) for one, other in zip(self._reaped, before, strict=True))
                self._reaped = cpu_s, read, written
        self._supervisors = used
        return found


class TreeTotals:
    """The columns of one tree, from row to row."""

    def __init__(self, cpus: int) -> None:
        self._cpus = cpus
        self._io = CounterDelta()
        self._most = 0.0
        self._before: tuple[float, float] | None = None  # the last row and the CPU seconds in it
        self._files: float | None = 0
        self._is_empty = False  # in this row and the last one
        self._still: Sequence[float | None] = (0.0, 0.0)  # I/O of a row without details

    def row(self, processes: Sequence[TreeProcess], besides: Used, at: float, detailed: bool) -> tuple[Value, ...]:
        """Return the values of its columns.

        Args:
            processes: The processes of the tree.
            besides: CPU and I/O to add to those of the processes.
            at: The time of the row.
            detailed: Whether their details were read for this row.
        """
        if not processes and self._is_empty:
            self._before = at, self._most
            return EMPTY
        self._is_empty = not processes and self._before is not None
        count = len(processes)
        cpu_s, resident, threads = processes[0].now if count == 1 else _totals([process.now for process in processes])
        cpu_s += besides[0]
        # a reaped child's time is rounded to ticks, so that the sum may decrease by some milliseconds; it decreases by
        # more if a process leaves the tree, such as a daemon: then start again, with an empty cell
        if cpu_s < self._most and cpu_s > self._most - ROUNDING_S:
            cpu_s = self._most
        share, before = None, self._before
        self._before, self._most = (at, cpu_s), cpu_s
        if before is not None and at > before[0] and cpu_s >= before[1]:
            used, whole = cpu_s - before[1], (at - before[0]) * self._cpus
            share = 100 * used / whole if used < whole else 100.0
        read, written = self._read_details(processes, besides, at) if detailed else self._still
        return share, resident / MIB, count, threads, self._files, read, written

    def _read_details(self, processes: Sequence[TreeProcess], besides: Used, at: float) -> Sequence[float | None]:
        """Update the number of files; return MiB read and written since the last call."""
        self._files, read, written = processes[0].details if len(processes) == 1 else _details(processes)
        moved = (
            None if read is None else (read + besides[1]) / MIB,
            None if written is None else (written + besides[2]) / MIB,
        )
        self._still = None if read is None else 0.0, None if written is None else 0.0
        return self._io.amounts(moved, at)


class NoTreeTotals:
    """Stands in for the tree of the tests in a run without tests."""

    def row(self, *_: object) -> tuple[Value, ...]:
        """Return no values."""
        return NOTHING


NO_PROCESSES: Sequence[TreeProcess] = ()
EMPTY = (0.0, 0.0, 0, 0, 0, 0.0, 0.0)
NOTHING = (None,) * (len(COLUMNS) // 2)


def _details(processes: Sequence[TreeProcess]) -> Any:
    """Return the sums of descriptors, bytes read and bytes written."""
    return _totals([process.details for process in processes])


def _totals(figures: Sequence[Sequence[float | None]]) -> Any:
    """Return the sum of each figure; None where it is unknown for a process."""
    if len(figures) == 1:
        return figures[0]
    if not figures:
        return 0.0, 0, 0
    return [None if None in each else sum(each) for each in zip(*figures, strict=True)]
