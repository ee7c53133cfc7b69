"""Detect columns of running totals, which many loggers write instead of the amounts between rows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

HIGH = 10  # times its largest rise: so far above 0 a total begins
MANY_RISES = 20  # without a fall between them, which no rate does
RISES_A_RESET = 10  # a machine is not restarted more often


def is_running_total(values: Sequence[float], most: float) -> bool:
    """Tell whether a column of amounts is a running total of them.

    A total never falls, except for a few restarts, and it starts high: above any amount of a single row. A column that
    rises from 0 may also be a growing rate; it is taken for a total only if a value is impossible for a row.

    Args:
        values: The column.
        most: The highest amount possible in a row.
    """
    first, *later = _runs(values)
    rises = [late - early for run in (first, *later) for early, late in pairwise(run) if late > early]
    if len(first) < 3 or first[0] == first[-1] or not rises:
        return False
    if any(new[0] > old[-1] / 2 for old, new in pairwise([first, *later])):  # a fall, and no restart
        return False
    if len(later) > 1 and len(rises) < RISES_A_RESET * len(later):
        return False
    starts_high = first[0] >= max(rises) * (1 if len(rises) >= MANY_RISES else HIGH)
    return starts_high or max(values) > most


def growth(values: Sequence[float]) -> list[float]:
    """Return the difference of each value to the one before; after a restart, the value itself."""
    return [late - early if late >= early else late for early, late in pairwise(values)]


def _runs(values: Sequence[float]) -> list[list[float]]:
    """Split the values into runs that do not fall."""
    runs: list[list[float]] = [[]]
    for value in values:
        if runs[-1] and value < runs[-1][-1]:
            runs.append([])
        runs[-1].append(value)
    return runs
