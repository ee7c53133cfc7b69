"""Confidence intervals of quantiles from repeated measurements.

Intervals of order statistics (Conover, Practical Nonparametric Statistics, 1999, section 3.2): they hold for any
distribution, and need a minimum number of measurements.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from pytest_twin.analysis.stats.signed_rank import CONFIDENCE, Interval, TooFewError
from pytest_twin.model.quantity import format_share


def quantile_interval(values: Sequence[float], share: float, *, confidence: float = CONFIDENCE) -> Interval:
    """Return a quantile with its confidence interval.

    Args:
        values: Independent measurements.
        share: The quantile: 0.95 is the value that 95 of 100 do not exceed.
        confidence: The minimum share of such intervals that contain the true quantile.

    Raises:
        TooFewError: There are too few measurements for this confidence.
    """
    count, beside = len(values), (1 - confidence) / 2
    below = _below(count, share)
    # that the quantile is below the value of this rank is as likely as that so many or fewer lie below the quantile
    low = next((rank - 1 for rank in range(count + 1) if below[rank] > beside), -1)
    high = next((rank for rank in range(count + 1) if below[rank] >= 1 - beside), count)
    if low < 0 or high >= count:
        raise TooFewError(f"{count} measurements are too few for the {format_share(share)} quantile")
    ordered = sorted(values)
    return Interval(ordered[low], ordered[max(0, math.ceil(share * count) - 1)], ordered[high])


def _below(count: int, share: float) -> list[float]:
    """Return for each number the probability that at most so many of all values are below the quantile."""
    total, found = 0.0, []
    for number in range(count + 1):
        log = math.lgamma(count + 1) - math.lgamma(number + 1) - math.lgamma(count - number + 1)
        total += math.exp(log + number * math.log(share) + (count - number) * math.log1p(-share))
        found.append(total)
    return found
