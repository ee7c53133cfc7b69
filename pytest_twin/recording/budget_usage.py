"""Measure what the body of a test uses by the kernel's counters, for tests that have a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_twin.analysis.budgets.budget import ResourceUsage
from pytest_twin.model.attempt_row import ResidentBytes, add, children_cpu_s, cpu_s, growth
from pytest_twin.telemetry.process_counters import seconds_since_boot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_twin.model.attempt_row import BorderCounters
    from pytest_twin.recording.recording import Recording


class BudgetUsage:
    """Counts resources from its creation on; it resets the kernel's high-water mark of memory."""

    def __init__(self, recording: Recording, *, with_orphans: bool) -> None:
        """Begin to count.

        Args:
            recording: The recording, with its counters.
            with_orphans: Whether to count the CPU time of orphaned processes, which reads all processes.
        """
        self._recording, counters = recording, recording.process_counters
        self._offspring = counters.read_child_starts()
        self._children = counters.read_children()
        self._orphans_since = (seconds_since_boot(), counters.reaped_by_ancestors_s()) if with_orphans else None
        counters.reset_peak()
        self._resident = counters.resident_bytes()

    def until_now(self, borders: Sequence[BorderCounters]) -> ResourceUsage:
        """Return what was used since the creation.

        Args:
            borders: Readings of the counters; the last two are those when the body began and when it ended.
        """
        began, ended = borders[-2:]
        counters = self._recording.process_counters
        resident = ResidentBytes(self._resident, counters.peak_bytes(), counters.resident_bytes())
        children, offspring = counters.read_children(), counters.read_child_starts()
        started = None if self._offspring is None or offspring is None else offspring.since(self._offspring)
        since = None if started == 0.0 else self._orphans_since
        return ResourceUsage(
            cpu_seconds=cpu_s(began, ended),
            children_cpu_seconds=children_cpu_s(self._children, children),
            duration=ended.at - began.at,
            peak_memory=resident.peak,
            memory_growth=resident.growth,
            read=add(growth(ended.read, began.read), growth(children.read, self._children.read)),
            write=add(growth(ended.written, began.written), growth(children.written, self._children.written)),
            children=started,
            orphans_cpu_seconds=counters.orphans_cpu_s(*since) if since else 0.0,
            context_switches=growth(ended.switches, began.switches),
            major_faults=growth(ended.faults, began.faults),
        )
