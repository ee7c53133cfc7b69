"""Columns of system_metrics_dataset.csv: declared once, by the probe that fills them."""

from __future__ import annotations

import math

TYPE_CHECKING = False  # the sampler starts without typing, which takes longer to import than all that it needs
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Value = float | str | None


class Column:
    """One column.

    Attributes:
        name: As it stands in the header, its unit at the end where it has one.
        unit: The unit of its values, empty for a mere number or text.
        meaning: One sentence for the reader of the file.
        digits: Decimals that are written; 0 for what is counted, None for text.
        legacy: Its place in the dataset of the old script collection, which opens the file, or None.
        is_amount: Whether it tells what came since it was told last, so that it may be told only once.
        window_s: None for the state at the time of the row. Of what was counted over a time before the row, a share or
            an amount, the shortest such time in seconds, and 0 where it is the time since the row before.
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
ELAPSED = Column("elapsed_s", "s", "Monotonic time since the start of the run.", digits=4)


def order(columns: Sequence[Column]) -> list[int]:
    """The indices of columns in the order in which the file has them: the legacy ones first, in their old order."""
    return sorted(range(len(columns)), key=lambda at: math.inf if (place := columns[at].legacy) is None else place)


def header(columns: Iterable[Column]) -> str:
    """The first line of the file, without its end."""
    return ",".join(column.name for column in columns)


class CellFormatter:
    """Makes the cells of some columns from their values; a missing one is an empty cell, never a zero.

    The same ones are missing in most rows, so one format writes them all.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._formats = ["%s" if column.digits is None else f"%.{column.digits}f" for column in columns]
        self._format, self._missing = "", -1

    def of(self, values: tuple[Value, ...]) -> list[str]:
        """The cells of these values, as many as there are columns; a text has no comma in it."""
        if values.count(None) != self._missing:
            self._fit(values)
        try:
            text = self._format % values
        except TypeError:  # as many are missing, but other ones
            self._fit(values)
            text = self._format % values
        return text.split(",")

    def _fit(self, values: tuple[Value, ...]) -> None:
        """Find the format for values of which these are missing."""
        formats = [
            "%.0s" if value is None else "%s" if isinstance(value, str) else form  # none of the letters of None
            for form, value in zip(self._formats, values, strict=True)
        ]
        self._format = ",".join(formats)
        is_text = any(isinstance(value, str) for value in values)  # which may be in the place of a number: fit again
        self._missing = -1 if is_text else values.count(None)
