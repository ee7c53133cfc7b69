"""Select fewer points for drawing: the same curves at several levels of detail, for zooming.

The points are chosen by MinMaxLTTB (van der Donckt et al., 2023), from the library tsdownsample: each point that is
drawn was measured, and peaks are kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pytest_twin.model.time_axis import Values

Places = np.ndarray[Any, np.dtype[np.intp]]
COARSE, FINER, MOST = 1500, 8, 40_000
FEWEST = 3  # of the library
GAP, SHORTEST_GAP_S = 5, 1.0  # a time without samples is so many intervals at least


def detail_levels(times: Values, curves: Sequence[Values]) -> list[Places]:
    """Return the rows to draw at each level of detail, the coarsest first; the last has all rows, or very many.

    Args:
        times: The times of the rows.
        curves: The curves that are drawn over the same times.
    """
    found, count = [], COARSE
    while count < min(MOST, len(times)):
        found.append(select_rows(times, curves, count))
        count *= FINER
    return [*found, select_rows(times, curves, MOST)]


def select_rows(times: Values, curves: Sequence[Values], most: int) -> Places:
    """Return about so many rows that keep the shape of each curve; rows where values start to be missing are kept."""
    if len(times) <= most:
        return np.arange(len(times))
    each = max(FEWEST, most // len(curves))
    places = [np.array([0, len(times) - 1]), *(_select_rows_of_curve(times, curve, each) for curve in curves)]
    return np.unique(np.concatenate(places))


def gaps(times: Values) -> Places:
    """Return the rows that come after a long time without samples."""
    if len(times) < FEWEST:
        return np.array([], dtype=np.intp)
    steps = np.diff(times)
    return np.flatnonzero(steps > max(GAP * float(np.median(steps)), SHORTEST_GAP_S)) + 1


def _select_rows_of_curve(times: Values, values: Values, count: int) -> Places:
    from tsdownsample import MinMaxLTTBDownsampler

    is_known = ~np.isnan(values)
    known = np.flatnonzero(is_known)
    borders = np.flatnonzero(np.diff(is_known))
    edges = np.concatenate([borders, borders + 1])[:count]
    if len(known) > count:
        downsampler: Any = MinMaxLTTBDownsampler
        known = known[downsampler().downsample(times[known], values[known], n_out=count).astype(np.intp)]
    return np.concatenate([known, edges])
