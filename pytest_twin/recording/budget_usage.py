"""What the body of a test spends, exactly: the kernel's counters around it, for tests that have a budget."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_twin.analysis.budgets.budget import ResourceUsage
from pytest_twin.model.attempt_row import ResidentBytes, children_cpu_s, cpu_s, grown, together
from pytest_twin.telemetry.process_counters import since_boot_s

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_twin.model.attempt_row import BorderCounters
    from pytest_twin.recording.recording import Recording


class BudgetUsage:
    """Counts from when it is made; the high-water mark of memory is reset, so somebody has to have kept it."""

    def __init__(self, recording: Recording, *, with_orphans: bool) -> None:
        """Begin to count.

        Args:
            recording: The run, with its counters.
            with_orphans: Whether what orphans use is of interest, for which all processes are looked at.
        """
        self._recording = recording
        self._offspring = recording.meter.offspring()
        self._children = recording.meter.children()
        self._orphans_since = (since_boot_s(), recording.meter.reaped_by_ancestors_s()) if with_orphans else None
        recording.meter.forget_peak()
        self._resident = recording.meter.resident()

    def until_now(self, borders: Sequence[BorderCounters]) -> ResourceUsage:
        """What was spent.

        Args:
            borders: The readings of the counters when the body began and when it ended.
        """
        began, ended = borders[-2:]
        meter = self._recording.meter
        resident = ResidentBytes(self._resident, meter.peak(), meter.resident())
        children, offspring = meter.children(), meter.offspring()
        started = None if self._offspring is None or offspring is None else offspring.since(self._offspring)
        since = None if started == 0.0 else self._orphans_since
        return ResourceUsage(
            cpu_seconds=cpu_s(began, ended),
            children_cpu_seconds=children_cpu_s(self._children, children),
            duration=ended.at - began.at,
            peak_memory=resident.peak,
            memory_growth=resident.growth,
            read=together(grown(ended.read, began.read), grown(children.read, self._children.read)),
            write=together(grown(ended.written, began.written), grown(children.written, self._children.written)),
            children=started,
            orphans_cpu_seconds=meter.orphans_cpu_s(*since) if since else 0.0,
            context_switches=grown(ended.switches, began.switches),
            major_faults=grown(ended.faults, began.faults),
        )
