"""What repeated measurements tell: where the median of all such measurements lies.

Percentile bootstrap intervals (Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13). Ratios are
looked at as logarithms, so that twice as slow and twice as fast are equally far from the same.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

FEWEST = 6  # of five, not even all being above a value is 95 % sure: 2 * 0.5**5 is 6 %
RESAMPLES = 4000
CONFIDENCE = 0.95


class TooFewError(ValueError):
    """There are too few measurements to tell anything; the message says how many there are."""


class Interval(NamedTuple):
    """A value, and the borders between which it lies with the confidence that was asked for."""

    low: float
    middle: float
    high: float


def of_median(values: Sequence[float], *, confidence: float = CONFIDENCE, seed: int = 0) -> Interval:
    """The median, and where that of all such measurements lies.

    Args:
        values: Measurements, independent of each other.
        confidence: The share of such intervals that have the true median in them.
        seed: The same one draws the same resamples.

    Raises:
        TooFewError: There are fewer than `FEWEST`.
    """
    if len(values) < FEWEST:
        raise TooFewError(f"{len(values)} measurements are too few, {FEWEST} are needed")
    import numpy as np  # late: it takes memory in the process whose memory is measured

    measured = np.asarray(values, dtype=float)
    draw = np.random.default_rng(seed)
    medians = np.median(measured[draw.integers(len(measured), size=(RESAMPLES, len(measured)))], axis=1)
    low, high = np.quantile(medians, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(float(low), float(np.median(measured)), float(high))


def of_ratio(
    these: Sequence[float], those: Sequence[float], *, confidence: float = CONFIDENCE, seed: int = 0
) -> Interval:
    """The median ratio of pairs that were measured together, and where that of all such pairs lies.

    Args:
        these: What is above the line, all above 0.
        those: What is below it, one for each.
        confidence: As in `of_median`.
        seed: As in `of_median`.

    Raises:
        TooFewError: There are fewer pairs than `FEWEST`.
    """
    logs = [math.log(one / other) for one, other in zip(these, those, strict=True)]
    return Interval(*map(math.exp, of_median(logs, confidence=confidence, seed=seed)))
