"""What the samples in the time of a test say of one column."""

from __future__ import annotations

from typing import NamedTuple

LEAST_COVERED = 0.5  # of the time of a test, by samples that tell of no other time


class ColumnFigures(NamedTuple):
    """Figures of a column in a window of time.

    Attributes:
        mean: The mean of its cells.
        highest: The highest of them.
        total: Their sum, which is the amount of a column "since the last row".
        rise: The last one minus the first one.
        covered: The share of the window that the cells cover, from 0 to 1.
    """

    mean: float
    highest: float
    total: float
    rise: float
    covered: float
