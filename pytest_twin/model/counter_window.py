"""The time that the cell of a share or an amount covers: the time since its counter was read before.

The sampler reads some counters less often than it writes rows: with the first row that is at least so many seconds
after the last reading. The times and the values of the rows show which rows have a new reading.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right

TYPE_CHECKING = False  # the sampler starts without typing
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

# a little less than 0.1 s and 0.5 s, for rows that come a little early; and no multiple of a usual interval, so that
# the times of rows, which are rounded, leave no doubt which of them were read
OFTEN_S = 0.0925  # for what takes a while to read
SELDOM_S = 0.4525  # for what changes slowly
UNKNOWN = -math.inf
ROUNDING_S = 1e-4  # times of rows are written to that


class ReadingTracker:
    """Follows rows and finds those with a new reading of a counter, from its amounts.

    Attributes:
        is_read: Whether the last row has a new reading, as far as can be told.
    """

    __slots__ = ("_is_sure", "_least_s", "_read", "_row", "is_read")

    def __init__(self, least_s: float) -> None:
        """Start before the first row.

        Args:
            least_s: The shortest time between two readings in seconds, as the column declares it.
        """
        self._least_s = least_s
        self._row = self._read = UNKNOWN
        self._is_sure = self.is_read = False

    def begin(self, at: float, amount: float | None) -> float:
        """Return the start of the time that an amount covers, if it was read with this row; unknown for the first row.

        Args:
            at: The time of the row.
            amount: Its amount: one that is not 0 was read with this row, a 0 may not have been.
        """
        gap, self._row = at - self._row, at
        begin, is_due = self._read, at - self._read >= self._least_s
        if not (is_due or self._is_sure):  # that row had not been read: this one was not read so soon again
            begin = at - self._least_s - gap
        self.is_read = is_due or bool(amount)
        if self.is_read:
            self._read, self._is_sure = at, bool(amount)
        return begin


def readings(times: Sequence[float], amounts: Sequence[float], least_s: float) -> Iterator[tuple[int, float]]:
    """Return the rows with a new reading, each with the start of the time it covers; not the first, which is unknown.

    Args:
        times: The times of the rows.
        amounts: Their amounts.
        least_s: The shortest time between two readings in seconds.
    """
    window = ReadingTracker(least_s)
    for row, (at, amount) in enumerate(zip(times, amounts, strict=True)):
        begin = window.begin(at, amount)
        if window.is_read and begin != UNKNOWN:
            yield row, begin


def counted_since(times: Sequence[float], row: int, least_s: float) -> float:
    """Return the start of the time that a cell covers: the earliest one possible; `UNKNOWN` at the beginning.

    Args:
        times: The times of the rows, in order.
        row: The index of the row with the cell.
        least_s: The window of its column.
    """
    latest = times[row] - least_s - ROUNDING_S  # a reading of then or before would not be the last one any more
    before = min(bisect_right(times, latest), row) - 1  # the last one was after this row
    earliest = times[before] - least_s - ROUNDING_S  # and the one before it was less than the window before that
    return times[bisect_left(times, earliest)] if before >= 0 and earliest >= times[0] - ROUNDING_S else UNKNOWN
