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
    """

    __slots__ = ("digits", "legacy", "meaning", "name", "unit")

    def __init__(self, name: str, unit: str, meaning: str, digits: int | None = 2, legacy: int | None = None) -> None:
        self.name, self.unit, self.meaning, self.digits, self.legacy = name, unit, meaning, digits, legacy

    def __repr__(self) -> str:
        return f"Column({self.name!r})"


TIMESTAMP = Column("timestamp", "", "When the row was taken: ISO 8601, UTC.", None, legacy=0)
ELAPSED = Column("elapsed_s", "s", "Monotonic time since the run began.", digits=4)


def order(columns: Sequence[Column]) -> list[int]:
    """The indices of columns in the order in which the file has them: the legacy ones first, in their old order."""
    return sorted(range(len(columns)), key=lambda at: math.inf if (place := columns[at].legacy) is None else place)


def header(columns: Iterable[Column]) -> str:
    """The first line of the file, without its end."""
    return ",".join(column.name for column in columns)


class Lines:
    """Makes lines of the file from rows of values; a missing one is an empty cell, never a zero.

    Most values are what they were in the line before: only the others are written anew.
    """

    def __init__(self, columns: Sequence[Column]) -> None:
        self._formats = ["%s" if column.digits is None else f"%.{column.digits}f" for column in columns]
        self._before: Sequence[Value] = [None] * len(columns)
        self._cells = [""] * len(columns)

    def line(self, values: Sequence[Value]) -> str:
        """The line of a row."""
        before, cells = self._before, self._cells
        for at, value in enumerate(values):
            if value != before[at]:
                cells[at] = _text(self._formats[at], value)
        self._before = values
        return ",".join(cells) + "\n"


def _text(form: str, value: Value) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else form % value
