"""Rows of tests.csv: one attempt of one test, from the kernel's own counters at the borders of its phases."""

from __future__ import annotations

from typing import NamedTuple

from pytest_twin.model.columns import Column

MIB = 1 << 20

COLUMNS = (
    Column("nodeid", "", "The test.", None),
    Column("attempt", "", "1, and more where a plugin runs it again.", 0),
    Column("worker", "", "The pytest-xdist worker; empty without.", None),
    Column("outcome", "", "passed, failed, skipped, xfailed, xpassed or error.", None),
    Column("start", "", "When it began: ISO 8601, UTC.", None),
    Column("elapsed_s", "s", "The same, as monotonic time since the run began."),
    Column("duration_s", "s", "From there to its end, the time to apply a load included."),
    Column("setup_s", "s", "Wall time of the set-up."),
    Column("call_s", "s", "Wall time of the test itself."),
    Column("teardown_s", "s", "Wall time of the teardown."),
    Column("cpu_user_s", "s", "CPU time of the test process in programs. Exact, as all that follows."),
    Column("cpu_system_s", "s", "CPU time of the test process in the kernel."),
    Column("children_cpu_s", "s", "CPU time of child processes that ended, and were waited for, within the test."),
    Column("peak_memory_MB", "MiB", "Highest resident memory of the test process (Linux; VmHWM, reset at the start)."),
    Column("read_MB", "MiB", "Read from disks by the test process (Linux)."),
    Column("written_MB", "MiB", "Written to disks by the test process (Linux)."),
    Column("context_switches", "", "Voluntary and involuntary context switches of the test process.", 0),
    Column("major_faults", "", "Page faults of the test process that had to wait for a disk.", 0),
    Column("load", "", "What it ran under.", None),
    Column("folder", "", "Its own folder, within this one.", None),
)


class Counters(NamedTuple):
    """What the kernel has counted for this process up to now; None where the platform does not.

    Times are in seconds, I/O in bytes.
    """

    at: float
    user_s: float | None
    system_s: float | None
    children_s: float | None
    read: float | None
    written: float | None
    switches: float | None
    faults: float | None

    def since(self, before: Counters) -> Counters:
        """What was counted in between."""
        return Counters(self.at - before.at, *map(_minus, self[1:], before[1:]))

    def plus(self, other: Counters) -> Counters:
        """Both together."""
        return Counters(self.at + other.at, *map(_plus, self[1:], other[1:]))


def _minus(late: float | None, early: float | None) -> float | None:
    return None if late is None or early is None else late - early


def _plus(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


NOTHING = Counters(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


def cells(used: Counters, peak: int | None) -> tuple[object, ...]:
    """The exact figures, in the order and the units of the columns."""
    times = (used.user_s, used.system_s, used.children_s)
    sizes = (peak, used.read, used.written)
    return (
        *(None if value is None else f"{value:.6f}" for value in times),
        *(None if value is None else f"{value / MIB:.3f}" for value in sizes),
        *(None if value is None else f"{value:.0f}" for value in (used.switches, used.faults)),
    )
