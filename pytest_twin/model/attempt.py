"""Rows of tests.csv: one attempt of one test, from the kernel's own counters at the borders of its phases."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from pytest_twin.model.columns import Column

MIB = 1 << 20

_WHICH = (
    Column("nodeid", "", "The test."),
    Column("attempt", "", "1, and more where a plugin runs it again."),
    Column("worker", "", "The pytest-xdist worker; empty without."),
    Column("outcome", "", "passed, failed, skipped, xfailed, xpassed or error."),
    Column("start", "", "When it began: ISO 8601, UTC."),
    Column("elapsed_s", "s", "The same, as monotonic time since the run began."),
    Column("duration_s", "s", "From there to its end, the time to apply a load included."),
    Column("setup_s", "s", "Wall time of the set-up."),
    Column("call_s", "s", "Wall time of the test itself."),
    Column("teardown_s", "s", "Wall time of the teardown."),
)
EXACT = (
    Column("cpu_user_s", "s", "CPU time of the test process in programs."),
    Column("cpu_system_s", "s", "CPU time of the test process in the kernel."),
    Column(
        "children_cpu_s", "s", "CPU time of its children and theirs in the time of the test, whether or not they ended."
    ),
    Column("peak_memory_MB", "MiB", "Highest resident memory of the test process (Linux; VmHWM, reset at the start)."),
    Column(
        "children_peak_memory_MB",
        "MiB",
        "Highest resident memory of a child that ended; empty if an earlier one had more.",
    ),
    Column("read_MB", "MiB", "Read from disks by the test process and children that ended (Linux)."),
    Column("written_MB", "MiB", "Written to disks by the same (Linux)."),
    Column("context_switches", "", "Voluntary and involuntary context switches of the test process."),
    Column("major_faults", "", "Page faults of the test process that had to wait for a disk."),
)
_CIRCUMSTANCES = (
    Column("load", "", "What it ran under."),
    Column("folder", "", "Its own folder, within this one."),
)
COLUMNS = (*_WHICH, *EXACT, *_CIRCUMSTANCES)


class Counters(NamedTuple):
    """What the kernel has counted for this process up to now; None where the platform does not.

    Times are in seconds, I/O in bytes.
    """

    at: float
    user_s: float | None
    system_s: float | None
    read: float | None
    written: float | None
    switches: float | None
    faults: float | None


class Children(NamedTuple):
    """What the kernel has counted for the children of this process; None where the platform does not.

    Attributes:
        cpu_s: CPU seconds of those that ended and were waited for, and of those that live, in their whole lives.
        peak: Bytes at the highest resident memory of any that was waited for.
    """

    cpu_s: float | None
    peak: float | None


NOTHING = Counters(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def used(phases: Iterable[tuple[Counters, Counters]]) -> Counters:
    """What was counted from the first to the second reading of each pair, together."""
    total = NOTHING
    for before, after in phases:
        wall = total.at + after.at - before.at
        total = Counters(wall, *map(_plus_growth, total[1:], after[1:], before[1:]))
    return total


def _plus_growth(total: float | None, late: float | None, early: float | None) -> float | None:
    return None if total is None or late is None or early is None else total + late - early


def _minus(late: float | None, early: float | None) -> float | None:
    return None if late is None or early is None else late - early


def figures(spent: Counters, children: tuple[Children, Children], peak: int | None) -> list[float | None]:
    """The exact figures, in the order and the units of `EXACT`.

    Args:
        spent: What the test process used.
        children: What was counted of its children at the beginning and at the end.
        peak: Bytes at the high-water mark of the test process.
    """
    before, after = children
    largest = after.peak if after.peak is not None and after.peak > (before.peak or 0) else None
    sizes = [None if size is None else size / MIB for size in (peak, largest, spent.read, spent.written)]
    children_cpu = _minus(after.cpu_s, before.cpu_s)
    if children_cpu is not None:  # what a child used before it ended is rounded to ticks when it is handed on
        children_cpu = max(0.0, children_cpu)
    return [spent.user_s, spent.system_s, children_cpu, *sizes, spent.switches, spent.faults]


_FORMATS = ("%.6f",) * 3 + ("%.3f",) * 4 + ("%.0f",) * 2


def cells(exact: list[float | None]) -> list[str | None]:
    """The same as they stand in the table."""
    return [None if value is None else text % value for text, value in zip(_FORMATS, exact, strict=True)]


def properties(exact: list[float | None], load: str) -> list[tuple[str, object]]:
    """Some of them for other reports: CPU seconds, peak memory, and the load."""
    user, system, children, peak, children_peak, *_ = exact
    cpu = None if user is None or system is None else user + system
    told: dict[str, object] = {
        "twin_cpu_s": cpu,
        "twin_children_cpu_s": children,
        "twin_peak_memory_MB": peak,
        "twin_children_peak_memory_MB": children_peak,
        "twin_load": load or None,
    }
    return [
        (name, round(value, 6) if isinstance(value, float) else value)
        for name, value in told.items()
        if value is not None
    ]
