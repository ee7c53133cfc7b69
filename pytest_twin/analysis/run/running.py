"""What is running at a moment, from the starts and ends in annotations.csv, and what a schedule will start next."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from pytest_twin.analysis.run.minute import Row, RunFilter
from pytest_twin.model import event

if TYPE_CHECKING:
    from pytest_twin.loads.schedule.schedule import Schedule


class RunningItem(NamedTuple):
    """A test, a load or a phase that has started and not ended.

    Attributes:
        since_s: Its start, in seconds since the run began.
        type: ``test``, ``phase``, or a load's kind.
        what: The node id of a test, the requested amount of a load, or the name of a phase.
        worker: The pytest-xdist worker, empty without.
    """

    since_s: float
    type: str
    what: str
    worker: str


class EndCounts(NamedTuple):
    """The number of ended tests and loads.

    Attributes:
        tests: Tests that ended.
        loads: Loads that ended, were aborted or were skipped.
        aborted: Loads that were aborted.
    """

    tests: int = 0
    loads: int = 0
    aborted: int = 0


class EventTracker:
    """The events of one run in one file; those of a later run in the same file replace them.

    Attributes:
        ended: The number of ended tests and loads.
    """

    def __init__(self, epoch: float | None = None, since_s: float = 0.0) -> None:
        """Start without an event.

        Args:
            epoch: Start of the run, in seconds since 1970: events of other runs are left out; None is the latest run.
            since_s: Events before this time of the run are left out too.
        """
        self._run = RunFilter(epoch, self.begin, since_s)
        self.begin()

    def begin(self, _skipped: int = 0) -> None:
        """Forget all events; those that follow are the complete list."""
        self._open: dict[str, RunningItem] = {}
        self.ended = EndCounts()

    @property
    def running(self) -> list[RunningItem]:
        """What has started and not ended, the oldest first."""
        return sorted(self._open.values())

    def add(self, row: Row) -> None:
        """Add a row of annotations.csv; a row without a time is left out."""
        if not self._run.has(row):
            return
        if row["event"] == event.START:
            self._open[row["id"]] = RunningItem(float(row["elapsed_s"]), row["type"], _what(row), row["worker"])
        elif row["event"] in {event.END, event.ABORT, event.SKIP}:
            self._open.pop(row["id"], None)
            self._count(row)

    def _count(self, row: Row) -> None:
        tests, loads, aborted = self.ended
        if row["type"] == event.TEST:
            self.ended = EndCounts(tests + 1, loads, aborted)
        elif row["type"] not in {event.PHASE, event.GAP}:
            count = event.skipped_loads(row["detail"]) if row["event"] == event.SKIP else 1
            self.ended = EndCounts(tests, loads + count, aborted + (row["event"] == event.ABORT))


class UpcomingLoad(NamedTuple):
    """A load that a schedule has not started yet.

    Attributes:
        in_s: Seconds until it starts.
        what: The load as text.
    """

    in_s: float
    what: str


def upcoming_loads(plan: Schedule, played_s: float) -> Iterator[UpcomingLoad]:
    """Yield the loads that the schedule has not started yet, the next one first."""
    for planned in plan.events:  # in the order of their starts
        if planned.start_s > played_s:
            yield UpcomingLoad(planned.start_s - played_s, str(planned.load))


def _what(row: Row) -> str:
    return {event.TEST: row["test"], event.PHASE: row["detail"]}.get(row["type"], row["target"])
