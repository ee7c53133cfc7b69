"""The clock of a run."""

from __future__ import annotations

from math import inf

from pytest_twin._system.stdlib import time


class Clock:
    """The start of a run on the monotonic clock and on the calendar.

    All processes of a run on one host share one clock, so that their rows have one time axis: durations come from the
    monotonic clock, and time stamps are derived from it, so they never jump.

    Attributes:
        began: `time.monotonic` when the run began, in seconds.
        epoch: `time.time` at that moment, in seconds since 1970.
    """

    __slots__ = ("_last", "began", "epoch")

    def __init__(self, began: float, epoch: float) -> None:
        self.began, self.epoch = began, epoch
        self._last = (-inf, "")  # the start of the last minute and its text; one assignment, for threads

    def elapsed(self, monotonic: float) -> float:
        """Return the seconds since the run began."""
        return monotonic - self.began

    def stamp(self, elapsed: float) -> str:
        """Return a time as ISO 8601 in UTC with milliseconds."""
        at = self.epoch + elapsed
        start, text = self._last
        second = at - start
        if not 0 <= second < LAST_SECOND:
            start = (at + 60 - LAST_SECOND) // 60 * 60
            text = time.strftime("%Y-%m-%dT%H:%M:", time.gmtime(start))
            self._last = (start, text)
            second = max(0.0, at - start)
        return "%s%06.3fZ" % (text, second)  # noqa: UP031 - faster than an f-string


SAME_RUN_S = 0.1
LAST_SECOND = 59.9995  # from here on it is rounded to the next minute
