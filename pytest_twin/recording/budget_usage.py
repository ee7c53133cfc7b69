"""Measure what the body of a test uses by the kernel's counters, for tests that have a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_twin.analysis.budgets.budget import ResourceUsage
from pytest_twin.model.attempt_row import UNKNOWN_USAGE, add, children_cpu_s, growth, peak_resident
from pytest_twin.telemetry.process_counters import seconds_since_boot

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from pytest_twin.model.attempt_row import ChildCounters, ChildStarts, PhaseUsage
    from pytest_twin.recording.recording import Recording


OF_CHILDREN = frozenset({"children_cpu_seconds", "children", "read", "write"})
OF_PROCESS = frozenset({"cpu_seconds", "read", "write", "context_switches", "major_faults"})
OF_MEMORY = frozenset({"peak_memory", "memory_growth"})


class BudgetUsage:
    """Counts, from its creation on, the resources that a budget limits; for memory it resets the high-water mark."""

    def __init__(self, recording: Recording, limits: Collection[str]) -> None:
        """Begin to count.

        Args:
            recording: The recording, with its counters.
            limits: The names of the limits, as in `ResourceUsage`; what no limit needs is not read.
        """
        self._recording, counters = recording, recording.process_counters
        self._children: ChildCounters | None = None
        self._offspring: ChildStarts | None = None
        self._orphans_since: tuple[float, float] | None = None
        self._resident: int | None = None
        self._has_process = not OF_PROCESS.isdisjoint(limits)
        self._has_memory = not OF_MEMORY.isdisjoint(limits)
        if not OF_CHILDREN.isdisjoint(limits):
            self._offspring = counters.read_child_starts()
            self._children = counters.read_children()
            if "children_cpu_seconds" in limits:  # orphans count too, which reads all processes
                self._orphans_since = seconds_since_boot(), counters.reaped_by_ancestors_s()
        if self._has_memory:
            counters.reset_peak()
            self._resident = counters.resident_bytes()

    def until_now(self, wall_s: float, read_used: Callable[[], PhaseUsage]) -> ResourceUsage:
        """Return what was used since the creation; what no limit needs is None.

        Args:
            wall_s: The wall time of the body.
            read_used: Returns what this process used in the body.
        """
        used, counters = read_used() if self._has_process else UNKNOWN_USAGE, self._recording.process_counters
        usage = ResourceUsage(
            cpu_seconds=used.cpu_s, duration=wall_s, context_switches=used.switches, major_faults=used.faults
        )
        if self._has_memory:
            peak = peak_resident(self._resident, counters.peak_bytes(), counters.resident_bytes())
            usage = usage._replace(peak_memory=peak, memory_growth=growth(peak, self._resident))
        if self._children is None:
            return usage
        children, offspring = counters.read_children(), counters.read_child_starts()
        started = None if self._offspring is None or offspring is None else offspring.since(self._offspring)
        since = None if started == 0.0 else self._orphans_since
        return usage._replace(
            children_cpu_seconds=children_cpu_s(self._children, children),
            read=add(used.read, growth(children.read, self._children.read)),
            write=add(used.written, growth(children.written, self._children.written)),
            children=started,
            orphans_cpu_seconds=counters.orphans_cpu_s(*since) if since else 0.0,
        )
