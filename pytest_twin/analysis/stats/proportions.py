"""Compare shares of failures: exact intervals and an exact test, which hold for few runs too.

The interval of Clopper and Pearson (1934) for one share; the one-sided test of Fisher (1922) for two, with strata as
in the exact test of Mantel and Haenszel (1959).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

CONFIDENCE = 0.95
STEPS = 60  # halvings of the interval from 0 to 1, beyond the precision of a float


class Share(NamedTuple):
    """How many of some runs failed."""

    failures: int
    runs: int

    def plus(self, failures: int, runs: int) -> Share:
        """Return the share with further runs."""
        return Share(self.failures + failures, self.runs + runs)


def fisher_p_value(*strata: tuple[Share, Share]) -> float:
    """Return the probability of as many failures or more if, within each stratum, both groups fail equally often.

    Args:
        strata: Runs made in the same circumstances: those of the group in question, and those to compare them with.
    """
    ways, whole, observed = [1], 1, 0  # ways to have so many failures in the group in question, over all strata
    for group, base in strata:
        total = group.failures + base.failures
        here = [
            math.comb(group.runs, number) * math.comb(base.runs, total - number)
            for number in range(min(group.runs, total) + 1)
        ]
        sums = [0] * (len(ways) + len(here) - 1)
        for first, way in enumerate(ways):
            for second, other in enumerate(here):
                sums[first + second] += way * other
        ways, whole, observed = sums, whole * math.comb(group.runs + base.runs, total), observed + group.failures
    return sum(ways[observed:]) / whole


@lru_cache(maxsize=4096)
def share_interval(failures: int, runs: int, *, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Return the two-sided confidence interval of the share of failures; 0 to 1 without runs."""
    beside = (1 - confidence) / 2
    low = 0.0 if failures == 0 else _solve(lambda share: 1 - _at_most(failures - 1, runs, share), beside)
    high = 1.0 if failures == runs else 1 - _solve(lambda rest: _at_most(failures, runs, 1 - rest), beside)
    return low, high


@lru_cache(maxsize=4096)
def upper_bound(failures: int, runs: int, *, confidence: float = CONFIDENCE) -> float:
    """Return the share that the share of failures is below with this confidence; 1 without runs.

    Without failures it is ``1 - (1 - confidence) ** (1 / runs)``.
    """
    if failures == runs:
        return 1.0
    if failures == 0:
        return 1 - math.pow(1 - confidence, 1 / runs)
    return 1 - _solve(lambda rest: _at_most(failures, runs, 1 - rest), 1 - confidence)


def _at_most(failures: int, runs: int, share: float) -> float:
    """Return the probability of at most this number of failures."""
    rest = 1 - share
    ways = (math.comb(runs, each) * math.pow(share, each) * math.pow(rest, runs - each) for each in range(failures + 1))
    return math.fsum(ways)


def _solve(rising: Callable[[float], float], target: float) -> float:
    """Return where a function that rises from 0 to 1 between 0 and 1 has this value."""
    low, high = 0.0, 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        if rising(middle) < target:
            low = middle
        else:
            high = middle
    return (low + high) / 2
