"""The one clock of a run."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import NamedTuple


class Clock(NamedTuple):
    """Where a run's time begins, on the monotonic clock and on the calendar.

    Every process of a run on one host gets the same one, so that all its rows are on one time axis: durations come
    from the monotonic clock, and time stamps are derived from it, so they never jump.

    Attributes:
        began: `time.monotonic` when the run began, in seconds.
        epoch: `time.time` at that moment, in seconds since 1970.
    """

    began: float
    epoch: float

    def elapsed(self, monotonic: float) -> float:
        """Seconds since the run began."""
        return monotonic - self.began

    def stamp(self, elapsed: float) -> str:
        """ISO 8601, UTC, with milliseconds."""
        moment = datetime.fromtimestamp(self.epoch + elapsed, UTC)
        return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
