"""Rows of tests.csv: one attempt of one test, with the kernel's counters at the start and end of each phase."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from pytest_twin._system.stdlib import sys
from pytest_twin.model.columns import Column

MIB = 1 << 20
CRASHED, INTERRUPTED = "crashed", "interrupted"
UNFINISHED = "unfinished"  # of a test that began, and of which nothing more was written
KEPT = "ok"  # a budget
WITHIN_BUDGET = frozenset({"", KEPT})  # or without one
BAD = ("failed", "error", CRASHED, INTERRUPTED, UNFINISHED)  # what somebody has to look at
ROUNDING_S = 0.1

_WHICH = (
    Column("nodeid", "", "Node ID of the test.", None),
    Column("attempt", "", "Number of the attempt: 1, or more if a plugin runs the test again.", 0),
    Column("worker", "", "The pytest-xdist worker; empty without pytest-xdist.", None),
    Column("host", "", "The host, in a run on several hosts; empty for the host of pytest itself.", None),
    Column(
        "outcome",
        "",
        "passed, failed (also if a subtest failed), skipped, xfailed, xpassed, error (set-up or teardown failed; "
        "pytest counts this beside a passed body), crashed (the process died), or interrupted (the run ended).",
        None,
    ),
    Column("start", "", "Start of the attempt: ISO 8601, UTC.", None),
    Column("elapsed_s", "s", "Start of the attempt as monotonic time since the start of the run.", 4),
    Column(
        "duration_s", "s", "Wall time of the attempt, including the time to apply loads, and to report a failure.", 6
    ),
    Column("setup_s", "s", "Wall time of the set-up phase.", 6),
    Column("call_s", "s", "Wall time of the call phase, which is the test body.", 6),
    Column("teardown_s", "s", "Wall time of the teardown phase.", 6),
)
EXACT = (
    Column(
        "cpu_user_s",
        "s",
        "CPU time of the test process in user mode; its sum with `cpu_system_s` is exact, the split is not.",
        6,
    ),
    Column("cpu_system_s", "s", "CPU time of the test process in kernel mode.", 6),
    Column(
        "children_cpu_s",
        "s",
        "CPU time of its descendant processes during the test, running or ended. It excludes processes that their "
        "parent did not wait for, such as daemons, and ended processes if SIGCHLD is ignored: the kernel accounts them "
        "to no parent.",
        6,
    ),
    Column("peak_memory_MB", "MiB", "Peak resident memory of the test process (Linux: VmHWM, reset at the start).", 3),
    Column(
        "children_peak_memory_MB",
        "MiB",
        "Peak resident memory of an ended child; empty unless above that of earlier children and the test process.",
        3,
    ),
    Column("read_MB", "MiB", "Data read from disks by the test process and its ended children (Linux).", 3),
    Column(
        "written_MB",
        "MiB",
        "Data written by the same processes, as the kernel counts them (Linux): each changed page counts as a whole, "
        "together with its folio of up to some MiB. Small scattered writes, and files that are removed before "
        "write-back, count as more than reaches the disk.",
        3,
    ),
    Column("context_switches", "", "Voluntary and involuntary context switches of the test process.", 0),
    Column("major_faults", "", "Page faults of the test process that required disk I/O.", 0),
)
CHILDREN_CPU = next(at for at, column in enumerate(EXACT) if column.name == "children_cpu_s")
_CIRCUMSTANCES = (
    Column(
        "load",
        "",
        "Loads during the attempt: of the test itself, of a schedule around it (file name and digest), and of others "
        "on the same host.",
        None,
    ),
    Column("budget", "", f"`{KEPT}`, or the limits that were exceeded or inconclusive; empty without a budget.", None),
    Column("folder", "", "Folder of the test, relative to the run folder.", None),
)
TREE_PEAK = "tree_peak_memory_MB"
_SAMPLED = (
    Column(
        TREE_PEAK,
        "MiB",
        "Peak memory of all test processes together. It is sampled, and empty without a sample during the test.",
        1,
    ),
)
MEMORY = (
    Column("memory_before_MB", "MiB", "Resident memory of the test process at the start of the test (Linux).", 3),
    Column(
        "memory_growth_MB",
        "MiB",
        "Peak resident memory minus `memory_before_MB`: the memory that the test itself added (Linux).",
        3,
    ),
    Column(
        "memory_kept_MB",
        "MiB",
        "Resident memory after the teardown minus `memory_before_MB`: the memory that the test left behind; negative "
        "if it freed memory of earlier tests (Linux).",
        3,
    ),
)
CONSTRAINED = (
    Column(
        "throttled_s",
        "s",
        "Time for which constraints on CPU time made the processes of the test wait during the attempt, as the control "
        "group counts it: once for each CPU on which they waited. Empty without a constraint.",
        6,
    ),
    Column(
        "constraint",
        "",
        "Constraints during the attempt, as written: of the test itself, of a schedule, and of the session.",
        None,
    ),
)
PHASES = ("setup", "call", "teardown")
PHASE_STARTS = tuple(
    Column(f"{phase}_start_s", "s", f"Start of {what}, as time since the start of the attempt.", 6)
    for phase, what in zip(PHASES, ("the set-up phase", "the call phase", "the teardown phase"), strict=True)
)
_WAITED = (
    Column(
        "cpu_wait_s",
        "s",
        "Time for which the thread that runs the tests was runnable and waited for a CPU during the attempt, including "
        "throttling by a control group, without the time to apply loads, other threads and child processes (Linux: "
        "schedstat).",
        6,
    ),
)
COLUMNS = (*_WHICH, *EXACT, *_CIRCUMSTANCES, *_SAMPLED, *MEMORY, *CONSTRAINED, *PHASE_STARTS, *_WAITED)


class PhaseUsage(NamedTuple):
    """What a process used between readings of its counters; None where the platform has no such counter.

    Times are in seconds, reads from and writes to disks in bytes.
    """

    user_s: float | None = None
    system_s: float | None = None
    switches: float | None = None
    faults: float | None = None
    read: float | None = None
    written: float | None = None

    @property
    def cpu_s(self) -> float | None:
        """CPU seconds in user mode and in the kernel together."""
        return add(self.user_s, self.system_s)


UNKNOWN_USAGE = PhaseUsage()


class ChildCounters(NamedTuple):
    """Counters of the children of this process; None where the platform has no such counter.

    Attributes:
        cpu_s: CPU seconds of reaped and of living children, over their whole lives.
        peak: Highest resident memory of any reaped child, in bytes.
        read: Bytes that reaped children read from disks.
        written: Bytes that they wrote to disks.
    """

    cpu_s: float | None
    peak: float | None
    read: float | None
    written: float | None


class ChildStarts:
    """A reading that tells, compared with a later one, whether child processes were started.

    Attributes:
        ended: A figure that grows with each reaped child, however little it did.
        living: The child processes, ended or not; None where the platform does not report them.
    """

    def __init__(self, ended: float, living: frozenset[int] | None) -> None:
        self.ended, self.living = ended, living

    def since(self, earlier: ChildStarts) -> float | None:
        """Return 1 if there were new children, 0 if not, and None if an earlier child ended, which hides others."""
        if self.living is None or earlier.living is None:
            return 1.0 if self.ended > earlier.ended else None
        if self.living - earlier.living:
            return 1.0
        if self.ended == earlier.ended:
            return 0.0
        return None if earlier.living - self.living else 1.0


def peak_resident(before: int | None, mark: int | None, after: int | None) -> int | None:
    """Return the peak of resident memory in bytes; None where the platform does not report it.

    The kernel's mark lags behind, so the peak is at least the highest value that was read.

    Args:
        before: The resident memory in bytes at the start of the test.
        mark: The kernel's high-water mark since then.
        after: The resident memory at the end of the test.
    """
    return None if mark is None else max(mark, before or 0, after or 0)


def memory_figures(
    before: int | None, mark: int | None, after: int | None
) -> tuple[float | None, float | None, float | None, float | None]:
    """Return the peak, and the figures of `MEMORY`, in the units of the table; the parameters are of `peak_resident`.

    What the test kept, the last of them, is negative if it freed memory.
    """
    peak = peak_resident(before, mark, after)
    return (
        None if peak is None else peak / MIB,
        None if before is None else before / MIB,
        None if peak is None or before is None else (peak - before) / MIB,
        None if after is None or before is None else (after - before) / MIB,
    )


def exact_figures(
    usage: PhaseUsage, began: ChildCounters, ended: ChildCounters, peak: float | None
) -> list[float | None]:
    """Return the exact figures, in the order and the units of `EXACT`.

    Args:
        usage: What the test process used in all phases.
        began: The counters of the children at the start of the attempt.
        ended: The same at its end.
        peak: Peak resident memory of the test process in MiB.
    """
    user, system, switches, faults, read, written = usage
    largest, children_s = None, 0.0 if ended.cpu_s is not None else None
    if began != ended:  # there were children
        # Linux: a program begins with the mark of the process that started it (exec_mmap in fs/exec.c), not its own
        if (ended.peak or 0) > max(began.peak or 0, (peak or 0) * MIB):
            largest = (ended.peak or 0) / MIB
        children_s = children_cpu_s(began, ended)
        read = add(read, growth(ended.read, began.read))
        written = add(written, growth(ended.written, began.written))
    read_mib, written_mib = None if read is None else read / MIB, None if written is None else written / MIB
    return [user, system, children_s, peak, largest, read_mib, written_mib, switches, faults]


def children_cpu_s(began: ChildCounters, ended: ChildCounters) -> float | None:
    """Return the CPU seconds of children between two readings; None if a child escaped with its CPU time."""
    # what a child used before it ended is rounded to ticks when it is handed on, which may take some milliseconds back;
    # what takes more is one that nobody waited for, such as one whose parent ended before it
    used = growth(ended.cpu_s, began.cpu_s)
    return None if used is None or used < -ROUNDING_S else max(0.0, used)


def add(one: float | None, other: float | None) -> float | None:
    """Return the sum of two values; None if one of them is unknown."""
    return None if one is None or other is None else one + other


def growth(late: float | None, early: float | None) -> float | None:
    """Return the difference of two readings of a counter; None if one of them is unknown."""
    return None if late is None or early is None else late - early


def circumstances(load: str, constraint: str) -> str:
    """Return the load and the constraints of an attempt as one text, as people write them."""
    return " ".join(filter(None, (load, constraint and f"constrain {constraint}")))


class ConstraintFigures(NamedTuple):
    """The constraints that an attempt ran under.

    Attributes:
        text: Their texts as written; empty if there were none.
        throttled_s: Seconds for which they made the processes of the test wait; None where that is unknown.
    """

    text: str = ""
    throttled_s: float | None = None


def properties(
    exact: Sequence[float | None],
    memory: Sequence[float | None],
    load: str,
    budget: str = "",
    constraints: ConstraintFigures = ConstraintFigures(),  # noqa: B008 - it is immutable
    cpu_wait_s: float | None = None,
) -> list[tuple[str, object]]:
    """Return some figures for other reports: of the CPU and of memory, load and constraints, the verdict on the budget.

    Args:
        exact: The figures of `EXACT`.
        memory: The result of `memory_figures`.
        load: All loads that it ran under.
        budget: The verdict on its budget.
        constraints: The constraints that it ran under.
        cpu_wait_s: Seconds for which it waited for a CPU.
    """
    user, system, children, peak, largest, *_ = exact
    own: list[tuple[str, object]] = []
    if user is not None and system is not None:
        own.append(("twin_cpu_s", int(1e6 * (user + system) + 0.5) / 1e6))  # `round` takes longer
    if cpu_wait_s is not None:
        own.append(("twin_cpu_wait_s", int(1e6 * cpu_wait_s + 0.5) / 1e6))
    if peak is not None:
        own.append(("twin_peak_memory_MB", int(1e6 * peak + 0.5) / 1e6))
    own += _frequent_properties(children, largest, memory[2], memory[3], load, budget, constraints)
    return own


@lru_cache(maxsize=256)
def _frequent_properties(
    children: float | None,
    children_peak: float | None,
    grown: float | None,
    kept: float | None,
    load: str,
    budget: str,
    constraints: ConstraintFigures,
) -> Sequence[tuple[str, object]]:
    """Return the properties of which many tests have the same values."""
    throttled, text = constraints.throttled_s, constraints.text
    figures: list[tuple[str, object]] = []
    for name, value in (
        ("twin_children_cpu_s", children),
        ("twin_children_peak_memory_MB", children_peak),
        ("twin_memory_growth_MB", grown),
        ("twin_memory_kept_MB", kept),
        ("twin_throttled_s", throttled),
    ):
        if value is not None:
            figures.append(interned_property(name, round(value, 6)))
    if load or budget or text:
        texts = ("twin_load", load), ("twin_budget", budget), ("twin_constraint", text)
        figures += [interned_property(name, text) for name, text in texts if text]
    return tuple(figures)


@lru_cache(maxsize=256)
def interned_property(name: str, value: object) -> tuple[str, object]:
    """Return a property, shared between equal ones: pytest keeps those of each test to the end of the session."""
    return sys.intern(name), value
