"""Running totals, as many loggers write them where others write what came since the row before."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

HIGH = 10  # times its largest rise: so far above 0 a total begins
MANY_RISES = 20  # without a fall between them, which no rate does
RISES_A_RESET = 10  # a machine is not restarted more often


def is_running_total(values: Sequence[float], most: float) -> bool:
    """Whether a column of amounts is the total of them.

    It never falls, but for some restarts that begin it anew, and it starts high: above all that any row adds. A column
    that rises from 0 on may be a rate that does; as a total it is seen only where no row could have come to so much.

    Args:
        values: The column.
        most: An amount that no row can have.
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
    """What each value but the first adds; behind a restart all that has been counted since."""
    return [late - early if late >= early else late for early, late in pairwise(values)]


def _runs(values: Sequence[float]) -> list[list[float]]:
    """The values in runs that do not fall."""
    runs: list[list[float]] = [[]]
    for value in values:
        if runs[-1] and value < runs[-1][-1]:
            runs.append([])
        runs[-1].append(value)
    return runs
