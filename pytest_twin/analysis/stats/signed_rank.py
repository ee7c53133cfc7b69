"""What repeated measurements tell: where the middle of all such measurements lies.

The estimate of Hodges and Lehmann (1963), which is the median of the means of each two measurements, and the interval
that belongs to it by the signed ranks of Wilcoxon (Hollander, Wolfe and Chicken, Nonparametric Statistical Methods,
2014, section 3.3). It is exact whatever the measurements are distributed like, as long as they scatter alike upwards
and downwards. Logarithms of the ratios of two runs made together do, since the noise of both is the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import NamedTuple

FEWEST = 6  # of five, not even all being above a value is 95 % sure: 2 * 0.5**5 is 6 %
MOST_EXACT = 60  # measurements; above that the normal distribution is as good
CONFIDENCE = 0.95


class TooFewError(ValueError):
    """There are too few measurements to tell anything; the message says how many there are."""


class Interval(NamedTuple):
    """A value, and the borders between which it lies with the confidence that was asked for."""

    low: float
    middle: float
    high: float


def median_interval(values: Sequence[float], *, confidence: float = CONFIDENCE) -> Interval:
    """The middle, and where that of all such measurements lies.

    Args:
        values: Measurements, independent of each other.
        confidence: The share of such intervals, at least, that have the true middle in them.

    Raises:
        TooFewError: There are too few for an interval with this confidence.
    """
    outside = _outside(len(values), confidence)
    if not outside:
        raise TooFewError(f"{len(values)} measurements are too few for an interval with {confidence:.0%} confidence")
    means = sorted((one + other) / 2 for at, one in enumerate(values) for other in values[at:])
    half = len(means) // 2
    middle = means[half] if len(means) % 2 else (means[half - 1] + means[half]) / 2
    return Interval(means[outside - 1], middle, means[-outside])


def ratio_interval(these: Sequence[float], those: Sequence[float], *, confidence: float = CONFIDENCE) -> Interval:
    """The middle ratio of pairs that were measured together, and where that of all such pairs lies.

    Ratios are looked at as logarithms, so that twice as slow and twice as fast are equally far from the same.

    Args:
        these: What is above the line, one for each pair.
        those: What is below it.
        confidence: As in `median_interval`.

    Raises:
        TooFewError: There are too few pairs.
    """
    logs = [math.log(max(one, 1e-9) / max(other, 1e-9)) for one, other in zip(these, those, strict=True)]
    return Interval(*map(math.exp, median_interval(logs, confidence=confidence)))


def ratio_of_ratios(these: Interval, those: Interval) -> Interval:
    """The ratio of two ratios that were measured apart, and where it lies (Zou and Donner, 2008: MOVER).

    The border is as far away as both of the borders that it comes from would be at a right angle, in logarithms.

    Args:
        these: What is above the line.
        those: What is below it.
    """
    middle = these.middle / those.middle
    down = math.hypot(math.log(these.middle / these.low), math.log(those.high / those.middle))
    up = math.hypot(math.log(these.high / these.middle), math.log(those.middle / those.low))
    return Interval(middle * math.exp(-down), middle, middle * math.exp(up))


@lru_cache
def _outside(count: int, confidence: float) -> int:
    """How many of the ordered means lie outside the interval, the border itself included, on each side."""
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
