"""Columns of system_metrics_dataset.csv: declared once, by the probe that fills them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

Value = float | str | None


class Column(NamedTuple):
    """One column.

    Attributes:
        name: As it stands in the header, its unit at the end where it has one.
        unit: The unit of its values, empty for a mere number or text.
        meaning: One sentence for the reader of the file.
        digits: Decimals that are written; 0 for what is counted, None for text.
        legacy: Its place in the dataset of the old script collection, which opens the file, or None.
    """

    name: str
    unit: str
    meaning: str
    digits: int | None = 2
    legacy: int | None = None


TIMESTAMP = Column("timestamp", "", "When the row was taken: ISO 8601, UTC.", None, legacy=0)
ELAPSED = Column("elapsed_s", "s", "Monotonic time since the run began.", digits=3)


def order(columns: Sequence[Column]) -> list[int]:
    """The indices of columns in the order in which the file has them: the legacy ones first, in their old order."""
    return sorted(range(len(columns)), key=lambda at: math.inf if (place := columns[at].legacy) is None else place)


def header(columns: Iterable[Column]) -> str:
    """The first line of the file, without its end."""
    return ",".join(column.name for column in columns)


def cell(column: Column, value: Value) -> str:
    """A value as the file has it: a value that is missing is an empty cell, never a zero."""
    if value is None or value != value:  # noqa: PLR0124 - NaN
        return ""
    if isinstance(value, str) or column.digits is None:
        return str(value)
    return f"{value:.{column.digits}f}"
