"""The one clock of a run."""

from __future__ import annotations

from pytest_twin._system.stdlib import time


class Clock:
    """Where a run's time begins, on the monotonic clock and on the calendar.

    Every process of a run on one host gets the same one, so that all its rows are on one time axis: durations come
    from the monotonic clock, and time stamps are derived from it, so they never jump.

    Attributes:
        began: `time.monotonic` when the run began, in seconds.
        epoch: `time.time` at that moment, in seconds since 1970.
    """

    __slots__ = ("_said", "began", "epoch")

    def __init__(self, began: float, epoch: float) -> None:
        self.began, self.epoch = began, epoch
        self._said = (-1, "")  # the last minute and its text; one assignment, for threads that share a clock

    def elapsed(self, monotonic: float) -> float:
        """Seconds since the run began."""
        return monotonic - self.began

    def stamp(self, elapsed: float) -> str:
        """ISO 8601, UTC, with milliseconds."""
        minute, milli = divmod(round((self.epoch + elapsed) * 1000), 60_000)
        said, text = self._said
        if minute != said:
            text = time.strftime("%Y-%m-%dT%H:%M:", time.gmtime(60 * minute))
            self._said = (minute, text)
        return f"{text}{milli // 1000:02d}.{milli % 1000:03d}Z"


SAME_RUN_S = 0.1
