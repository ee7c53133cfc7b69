"""What is running at a moment, from the starts and ends of annotations.csv, and what a schedule has ahead."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from pytest_twin.analysis.run.minute import Row, RunFilter
from pytest_twin.model import event

if TYPE_CHECKING:
    from pytest_twin.loads.schedule.schedule import Schedule


class RunningItem(NamedTuple):
    """A test, a load or a phase that has begun and not ended.

    Attributes:
        since_s: When it began, in seconds since the run did.
        type: ``test``, ``phase``, or a load's kind.
        what: The node id of a test, what was asked of a load, the name of a phase.
        worker: The pytest-xdist worker, empty without.
    """

    since_s: float
    type: str
    what: str
    worker: str


class EndCounts(NamedTuple):
    """How many there were.

    Attributes:
        tests: Tests that ended.
        loads: Loads that ended, were aborted or were not reached.
        aborted: Loads that were aborted.
    """

    tests: int = 0
    loads: int = 0
    aborted: int = 0


class EventTracker:
    """The events of one file, of one run: those of a run that follows in the same file take their place.

    Attributes:
        ended: What is over.
    """

    def __init__(self, epoch: float | None = None, since_s: float = 0.0) -> None:
        """Begin without an event.

        Args:
            epoch: When the run began, in seconds since 1970: events of others are left out; None is the latest run.
            since_s: Events of it that are earlier are left out too.
        """
        self._run = RunFilter(epoch, self.begin, since_s)
        self.begin()

    def begin(self, _skipped: int = 0) -> None:
        """Forget everything; what follows is the whole summary."""
        self._open: dict[str, RunningItem] = {}
        self.ended = EndCounts()

    @property
    def running(self) -> list[RunningItem]:
        """What has begun and not ended, the oldest first."""
        return sorted(self._open.values())

    def add(self, row: Row) -> None:
        """Take in a row of annotations.csv; one without a time is left out."""
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
    """A load that a schedule has still to begin.

    Attributes:
        in_s: Seconds until it begins.
        what: As it was written.
    """

    in_s: float
    what: str


def upcoming_loads(plan: Schedule, played_s: float) -> Iterator[UpcomingLoad]:
    """What comes next, the soonest first."""
    for planned in plan.events:  # in the order of their starts
        if planned.start_s > played_s:
            yield UpcomingLoad(planned.start_s - played_s, str(planned.load))


def _what(row: Row) -> str:
    return {event.TEST: row["test"], event.PHASE: row["detail"]}.get(row["type"], row["target"])
