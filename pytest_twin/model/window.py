"""Of what time a cell tells that is no state: of the time since its counter was read before.

The sampler reads some counters more seldom than it writes rows (`probes.asked`): at the first row that is no sooner
than so many seconds after the reading before. From that rule, the times of rows alone tell which rows were read.
"""

from __future__ import annotations

TYPE_CHECKING = False  # the sampler starts without typing
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

OFTEN_S = 0.09  # what takes a while to read is read ten times a second, also where rows come a little early
SELDOM_S = 0.45  # what changes slowly is read twice a second, also where rows come a little early
UNKNOWN = float("-inf")


class Window:
    """Follows rows, and tells of what time the cells of a column tell.

    Attributes:
        is_read: Whether the counter was read for the last row, as far as can be told.
    """

    __slots__ = ("_begin", "_least_s", "_read", "_row", "is_read")

    def __init__(self, least_s: float) -> None:
        """Begin before the first row.

        Args:
            least_s: The seconds after which the counter is read again, as the column declares them.
        """
        self._least_s = least_s
        self._row: float | None = None
        self._read: float | None = None  # the last row for which it was read, once that is known
        self._begin = UNKNOWN
        self.is_read = False

    def begin(self, at: float, is_new: bool = False) -> float:
        """When the time began of which a row tells; before that is known, a time that is no later.

        Args:
            at: The time of the row.
            is_new: Whether the cell shows that it was read for this row, as an amount does that is not 0.
        """
        row, self._row = self._row, at
        if row is None:
            self.is_read = is_new
            self._read = at if is_new else None
            return UNKNOWN
        since = row if self._read is None else self._read
        self.is_read = is_new or at - since >= self._least_s
        if self.is_read:
            self._begin, self._read = min(since, at - self._least_s), at
        elif self._read is None:
            return at - 2 * self._least_s - (at - row)
        return self._begin


def readings(times: Sequence[float], is_new: Sequence[bool], least_s: float) -> Iterator[tuple[int, float]]:
    """The rows for which a counter was read, each with the time since which it was; the first is of an unknown time.

    Args:
        times: Those of the rows.
        is_new: Of which rows the cells show it.
        least_s: As `Window` has it.
    """
    window = Window(least_s)
    for row, at in enumerate(times):
        begin = window.begin(at, is_new[row])
        if window.is_read and begin != UNKNOWN:
            yield row, begin
