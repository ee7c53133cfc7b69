"""Estimate the median of repeated measurements, with a confidence interval.

The estimate of Hodges and Lehmann (1963), the median of the means of all pairs of measurements, and its interval by the
signed ranks of Wilcoxon (Hollander, Wolfe and Chicken, Nonparametric Statistical Methods, 2014, section 3.3). It is
exact for any symmetric distribution. Logarithms of the ratios of paired runs are symmetric, since the noise of both
runs is the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple

from pytest_twin.model.quantity import format_share

FEWEST = 6  # of five, not even all being above a value is 95 % sure: 2 * 0.5**5 is 6 %
MOST_EXACT = 60  # measurements; above that the normal distribution is as good
CONFIDENCE = 0.95


class TooFewError(ValueError):
    """There are too few measurements; the message says how many."""


class Interval(NamedTuple):
    """A value with its confidence interval."""

    low: float
    middle: float
    high: float


def median_interval(values: Sequence[float], *, confidence: float = CONFIDENCE) -> Interval:
    """Return the median with its confidence interval.

    Args:
        values: Independent measurements.
        confidence: The minimum share of such intervals that contain the true median.

    Raises:
        TooFewError: There are too few measurements for this confidence.
    """
    outside = _outside(len(values), confidence)
    if not outside:
        raise TooFewError(
            f"{len(values)} measurements are too few for an interval with {format_share(confidence)} confidence"
        )
    means = sorted((one + other) / 2 for at, one in enumerate(values) for other in values[at:])
    half = len(means) // 2
    middle = means[half] if len(means) % 2 else (means[half - 1] + means[half]) / 2
    return Interval(means[outside - 1], middle, means[-outside])


def ratio_interval(these: Sequence[float], those: Sequence[float], *, confidence: float = CONFIDENCE) -> Interval:
    """Return the median ratio of paired measurements, with its confidence interval.

    Ratios are compared as logarithms, so that twice as slow and twice as fast are equally far from 1.

    Args:
        these: The numerators, one for each pair.
        those: The denominators.
        confidence: As in `median_interval`.

    Raises:
        TooFewError: There are too few pairs.
    """
    logs = [math.log(max(one, 1e-9) / max(other, 1e-9)) for one, other in zip(these, those, strict=True)]
    return Interval(*map(math.exp, median_interval(logs, confidence=confidence)))


def ratio_of_ratios(these: Interval, those: Interval) -> Interval:
    """Return the ratio of two ratios that were measured separately, with its interval (Zou and Donner, 2008: MOVER).

    Each border is at the Euclidean distance of the two borders that it comes from, in logarithms.

    Args:
        these: The numerator.
        those: The denominator.
    """
    middle = these.middle / those.middle
    down = math.hypot(math.log(these.middle / these.low), math.log(those.high / those.middle))
    up = math.hypot(math.log(these.high / these.middle), math.log(those.middle / those.low))
    return Interval(middle * math.exp(-down), middle, middle * math.exp(up))


@lru_cache
def _outside(count: int, confidence: float) -> int:
    """Return the number of ordered means outside the interval on each side, including the border."""
    beside = (1 - confidence) / 2
    if count > MOST_EXACT:
        spread = math.sqrt(count * (count + 1) * (2 * count + 1) / 24)
        return int(count * (count + 1) / 4 + NormalDist().inv_cdf(beside) * spread)
    ways = [1]  # in how many ways the ranks of those above the middle come to each sum
    for rank in range(1, count + 1):
        ways = [one + other for one, other in zip(ways + [0] * rank, [0] * rank + ways, strict=True)]
    total, allowed = 0, beside * 2**count
    for number, each in enumerate(ways):
        total += each
        if total > allowed:
            return number
    return 0
