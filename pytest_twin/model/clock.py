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
        self._last = (-1, "")  # the last minute and its text; one assignment, for threads that share a clock

    def elapsed(self, monotonic: float) -> float:
        """Return the seconds since the run began."""
        return monotonic - self.began

    def stamp(self, elapsed: float) -> str:
        """Return a time as ISO 8601 in UTC with milliseconds."""
        minute, milli = divmod(round((self.epoch + elapsed) * 1000), 60_000)
        last_minute, text = self._last
        if minute != last_minute:
            text = time.strftime("%Y-%m-%dT%H:%M:", time.gmtime(60 * minute))
            self._last = (minute, text)
        return "%s%06.3fZ" % (text, milli / 1000)  # noqa: UP031 - the code that formats cells, too


SAME_RUN_S = 0.1
