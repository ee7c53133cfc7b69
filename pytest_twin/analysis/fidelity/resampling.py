"""Bring two recordings to one grid of intervals."""

from __future__ import annotations

from typing import Any

import numpy as np

Values = np.ndarray[Any, np.dtype[np.float64]]
LONGEST_ROW = 2.0  # intervals; a row that comes later than that follows a gap, and counts for one interval
LEAST_COVERED = 0.5  # of an interval of the grid; with less known, its value is unknown


def resample(ends: Values, values: Values, interval_s: float, step_s: float, count: int) -> Values:
    """Return the mean of each of `count` intervals of `step_s` from the start on; NaN where too little is known.

    Args:
        ends: The ends of the intervals of the values, in seconds since the start.
        values: The means over these intervals; NaN is unknown.
        interval_s: The usual length of an interval.
        step_s: The length of the intervals to return.
        count: Their number.
    """
    starts = np.concatenate([[ends[0] - interval_s], ends[:-1]])
    starts = np.where(ends - starts > LONGEST_ROW * interval_s, ends - interval_s, starts)
    known = np.where(np.isfinite(values), ends - starts, 0.0)
    borders = np.column_stack([starts, ends]).ravel()
    grid = np.arange(count + 1) * step_s
    covered = np.diff(np.interp(grid, borders, _cumulated(known)))
    sums = np.diff(np.interp(grid, borders, _cumulated(known * np.nan_to_num(values))))
    enough = covered >= LEAST_COVERED * step_s
    means: Values = np.full(count, np.nan)
    means[enough] = sums[enough] / covered[enough]
    return means


def _cumulated(amounts: Values) -> Values:
    """Return the cumulated amounts at the start and the end of each interval."""
    after = np.cumsum(amounts)
    return np.column_stack([after - amounts, after]).ravel()
