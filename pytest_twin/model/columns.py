"""Columns of system_metrics_dataset.csv, each declared once by the probe that fills it."""

from __future__ import annotations

import math
from operator import itemgetter

TYPE_CHECKING = False  # the sampler starts without typing, which takes longer to import than all that it needs
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

Value = float | str | None


class Column:
    """A column of a table.

    Attributes:
        name: Its name in the header, with its unit at the end if it has one.
        unit: The unit of its values; empty for a number without unit, or text.
        meaning: One sentence for the reader of the file.
        digits: The number of decimals; 0 for counts, None for text.
        legacy: Its position in the dataset of the old script collection, which opens the file; None for new columns.
        is_amount: Whether it is the amount since the last reading, which must be written only once.
        window_s: None for the state at the time of the row. For a share or an amount, the shortest time in seconds that
            it covers before the row; 0 for the time since the previous row.
    """

    __slots__ = ("digits", "is_amount", "legacy", "meaning", "name", "unit", "window_s")

    def __init__(
        self,
        name: str,
        unit: str,
        meaning: str,
        digits: int | None = 2,
        legacy: int | None = None,
        is_amount: bool = False,
        window_s: float | None = None,
    ) -> None:
        self.name, self.unit, self.meaning, self.digits = name, unit, meaning, digits
        self.legacy, self.is_amount = legacy, is_amount
        self.window_s = 0.0 if is_amount and window_s is None else window_s

    def __repr__(self) -> str:
        return f"Column({self.name!r})"


TIMESTAMP = Column("timestamp", "", "Time of the row: ISO 8601, UTC.", None, legacy=0)
WINDOWS = "windows_s"  # in the attrs of a frame of samples: the windows of its columns
ELAPSED = Column("elapsed_s", "s", "Monotonic time since the start of the run.", digits=4)


def order(columns: Sequence[Column]) -> list[int]:
    """Return the indices of columns in the order of the file: the legacy ones first, in their old order."""
    return sorted(range(len(columns)), key=lambda at: math.inf if (place := columns[at].legacy) is None else place)


def header(columns: Iterable[Column]) -> str:
    """Return the first line of the file, without its end."""
    return ",".join(column.name for column in columns)


class CellFormatter:
    """Formats the values of some columns as cells; a missing value is an empty cell, never zero.

    Most rows lack the same values, so one format string writes them all.
    """

    def __init__(self, columns: Sequence[Column], end: str = "") -> None:
        """Create the formatter.

        Args:
            columns: The columns of the values.
            end: What follows the last cell.
        """
        self._formats = ["%s" if column.digits is None else f"%.{column.digits}f" for column in columns]
        self._end = end
        self._format = ""
        self._missing = self._texts = picker(())
        self._nothing: tuple[Value, ...] | None = None  # the missing values that the format is for

    def of(self, values: tuple[Value, ...]) -> list[str]:
        """Return the cells of these values, one for each column; a text must not contain a comma."""
        return self.line(values).split(",")

    def line(self, values: tuple[Value, ...]) -> str:
        """Return the cells of these values, one for each column, with commas between them; a text is taken as it is."""
        if self._missing(values) == self._nothing and None not in self._texts(values):
            try:
                return self._format % values
            except TypeError:  # a number is missing, or is a text
                pass
        self._fit(values)
        return self._format % values

    def _fit(self, values: tuple[Value, ...]) -> None:
        """Build the format string for values of which these are missing."""
        formats = [
            "%.0s" if value is None else "%s" if isinstance(value, str) else form  # none of the letters of None
            for form, value in zip(self._formats, values, strict=True)
        ]
        is_text_for_number = any(own == "%s" != form for own, form in zip(formats, self._formats, strict=True))
        self._format = ",".join(formats) + self._end
        self._missing = picker([place for place, value in enumerate(values) if value is None])
        self._texts = picker([place for place, own in enumerate(formats) if own == "%s"])
        self._nothing = None if is_text_for_number else self._missing(values)  # fit again: it may be a number next time


def picker(places: Sequence[int]) -> Callable[[Sequence[Value]], tuple[Value, ...]]:
    """Return a function that returns the values at these places of a row."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda values: tuple([values[place] for place in places])
