"""How well holds and straight lines describe parts of several series."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from pytest_twin.analysis.fidelity.resampling import Values

FEWEST_FOR_A_LINE = 3  # values; two are on a line whatever they are


class _Line(NamedTuple):
    """Least squares in parts of one series: the mean, the slope, and the squared errors of a hold and of a line."""

    mean: Values
    slope: Values
    middle: Values
    hold_error: Values
    line_error: Values


class SegmentCosts:
    """The squared errors of holds and of straight lines in any part of some series, each in constant time.

    Args:
        series: A series a row, on the same intervals; NaN is unknown, and costs nothing.
        line_price: What a straight line has to save in squared errors of a series to be preferred to a hold.
    """

    def __init__(self, series: Values, line_price: float) -> None:
        self.line_price = line_price
        self.count = series.shape[1]
        known = np.isfinite(series).astype(np.float64)
        values = np.nan_to_num(series)
        at = self._scaled(np.arange(self.count) + 0.5)
        terms = (known, values, values**2, known * at, known * at**2, values * at)
        self._sums = np.stack([np.cumsum(np.pad(term, ((0, 0), (1, 0))), axis=1) for term in terms])

    def total(self, first: Any, last: Any) -> Any:
        """Return the cost of the parts from `first` to before `last`, of all series together.

        Args:
            first: The first interval of each part.
            last: The interval after the last of each part; the two arrays are broadcast.
        """
        return sum(
            np.minimum(line.hold_error, line.line_error + self.line_price)
            for line in (self._line(number, first, last) for number in range(self._sums.shape[1]))
        )

    def ends(self, number: int, first: int, last: int) -> tuple[float, float] | None:
        """Return the values of a series at the start and the end of a part; equal ones for a hold, None if unknown."""
        line = self._line(number, np.array(first), np.array(last))
        if not np.isfinite(line.mean):
            return None
        mean, slope, middle = float(line.mean), float(line.slope), float(line.middle)
        if float(line.line_error) + self.line_price >= float(line.hold_error):
            return mean, mean
        return mean + slope * (self._scaled(first) - middle), mean + slope * (self._scaled(last) - middle)

    def _scaled(self, place: Any) -> Any:
        """Return a place as a share of all intervals from their middle on, so that sums of squares stay exact."""
        return place / self.count - 0.5

    def _line(self, number: int, first: Any, last: Any) -> _Line:
        count, x, xx, t, tt, tx = (sums[number][last] - sums[number][first] for sums in self._sums)
        with np.errstate(divide="ignore", invalid="ignore"):
            mean, middle = x / count, t / count
            spread = tt - t * middle
            covariance = tx - x * middle
            slope = np.where((count >= FEWEST_FOR_A_LINE) & (spread > 0), covariance / spread, 0.0)
        hold_error = np.where(count > 0, np.maximum(xx - x * np.nan_to_num(mean), 0.0), 0.0)
        line_error = np.maximum(hold_error - np.nan_to_num(slope * covariance), 0.0)
        return _Line(mean, slope, middle, hold_error, line_error)
