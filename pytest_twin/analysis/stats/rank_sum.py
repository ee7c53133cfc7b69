"""Test whether one group of measurements is above another, and estimate their ratio.

Only ranks are used, so it holds for any distribution, and exactly, so it holds for small groups: the test of Mann and
Whitney (1947), with ties; the estimate of Hodges and Lehmann (1963), the median of all ratios between the groups, with
its interval. Several tests are corrected with the procedure of Benjamini and Hochberg (1995), which bounds the share of
false positives.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pytest_twin.analysis.stats.signed_rank import CONFIDENCE, Interval

MOST_EXACT = 60  # measurements in both groups; above that the normal distribution is as good

Numbers = NDArray[np.floating[Any]]


def smallest_p_value(these: int, those: int) -> float:
    """Return the smallest two-sided p-value for groups of these sizes: all of one group above all of the other."""
    return 2 / math.comb(these + those, these)


def is_enough(these: int, those: int, *, confidence: float = CONFIDENCE) -> bool:
    """Tell whether groups of these sizes can be significant with this confidence."""
    return these > 0 and those > 0 and smallest_p_value(these, those) <= 1 - confidence


def one_sided_p_value(these: Sequence[float], those: Sequence[float]) -> float:
    """Return the probability that these come out so far above those, or further, if both are the same in truth.

    Args:
        these: Independent measurements.
        those: Others, possibly of another number.
    """
    ranks = _doubled_ranks(np.concatenate([np.asarray(these, dtype=float), np.asarray(those, dtype=float)]))
    seen = int(ranks[: len(these)].sum())
    if len(ranks) > MOST_EXACT:
        return _normal_p_value(seen, ranks, len(these))
    ways = _count_sums(tuple(sorted(ranks.tolist())), len(these))
    return float(ways[seen:].sum() / ways.sum())


def p_value(these: Sequence[float], those: Sequence[float]) -> float:
    """Return the two-sided p-value."""
    return min(1.0, 2 * min(one_sided_p_value(these, those), one_sided_p_value(those, these)))


def ratio_between(these: Sequence[float], those: Sequence[float], *, confidence: float = CONFIDENCE) -> Interval:
    """Return the ratio of these to those, with its confidence interval.

    The borders are 0 and infinity with too few measurements. The ratio of 0 to 0 is 1.
    """
    ratios = _ratios(np.asarray(these, dtype=float), np.asarray(those, dtype=float))
    outside = _outside(len(these), len(those), confidence)
    low, high = (0.0, math.inf) if outside == 0 else (float(ratios[outside - 1]), float(ratios[-outside]))
    return Interval(low, _geometric_median(ratios), high)


def adjust_p_values(chances: Sequence[float]) -> list[float]:
    """Return p-values corrected for their number (Benjamini and Hochberg)."""
    found = np.asarray(chances, dtype=float)
    order = np.argsort(found)[::-1]
    grown = found[order] * len(found) / np.arange(len(found), 0, -1)
    adjusted = np.empty_like(found)
    adjusted[order] = np.minimum(1.0, np.minimum.accumulate(grown))
    return [float(each) for each in adjusted]


def _doubled_ranks(values: Numbers) -> NDArray[np.int64]:
    """Return ranks, with the mean rank for ties; doubled, so that they are integers."""
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((2 * sizes.cumsum() - sizes + 1)[group], dtype=np.int64)


@lru_cache(maxsize=512)
def _count_sums(ranks: tuple[int, ...], taken: int) -> Numbers:
    """Return the number of ways in which so many of these ranks have each sum."""
    ways = np.zeros((taken + 1, sum(ranks) + 1))
    ways[0, 0] = 1
    for rank in ranks:
        ways[1:, rank:] += ways[:-1, : ways.shape[1] - rank].copy()
    found: Numbers = ways[taken]
    return found


def _normal_p_value(seen: int, ranks: NDArray[np.int64], taken: int) -> float:
    """Return the p-value by the normal distribution, corrected for ties and continuity."""
    others = len(ranks) - taken
    spread = math.sqrt(taken * others / (len(ranks) - 1) * float(np.var(ranks / 2)))
    if spread == 0:
        return 1.0
    above = seen / 2 - taken * (len(ranks) + 1) / 2 - 0.5
    return 0.5 * math.erfc(above / spread / math.sqrt(2))


@lru_cache(maxsize=512)
def _outside(these: int, those: int, confidence: float) -> int:
    """Return the number of ordered ratios outside the interval on each side, including the border."""
    pairs, allowed = these * those, (1 - confidence) / 2
    if these + those > MOST_EXACT:
        spread = math.sqrt(pairs * (these + those + 1) / 12)
        return max(0, int(pairs / 2 + NormalDist().inv_cdf(allowed) * spread))
    ways = _count_sums(tuple(range(2, 2 * (these + those) + 1, 2)), these)[these * (these + 1) :: 2]
    return int(np.searchsorted(np.cumsum(ways) / ways.sum(), allowed * (1 + 1e-9), side="right"))


def _ratios(these: Numbers, those: Numbers) -> Numbers:
    """Return the ratio of each of these to each of those, in order."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratios = np.divide.outer(these, those).ravel()
    return np.sort(np.nan_to_num(ratios, nan=1.0, posinf=math.inf))


def _geometric_median(ordered: Numbers) -> float:
    """Return the median; of two middle values the geometric mean, so that a ratio and its inverse agree."""
    low, high = float(ordered[(len(ordered) - 1) // 2]), float(ordered[len(ordered) // 2])
    return low if low == high else math.sqrt(low * high)
