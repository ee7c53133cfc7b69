"""The clock of a run."""

from __future__ import annotations

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
        self._last = (-1000, "")  # the last second and its text; one assignment, for threads that share a clock

    def elapsed(self, monotonic: float) -> float:
        """Return the seconds since the run began."""
        return monotonic - self.began

    def stamp(self, elapsed: float) -> str:
        """Return a time as ISO 8601 in UTC with milliseconds."""
        second, text = self._last
        milli = int((self.epoch + elapsed) * 1000 + 0.5) - second  # `round` takes longer
        if not 0 <= milli < 1000:
            milli += second
            second = milli // 1000
            text, milli = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second)), milli % 1000
            self._last = (1000 * second, text)
        return "%s.%03dZ" % (text, milli)  # noqa: UP031 - faster than an f-string


SAME_RUN_S = 0.1
