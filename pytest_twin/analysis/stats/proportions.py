"""Compare shares of failures: exact intervals and an exact test, which hold for few runs too.

The interval of Clopper and Pearson (1934) for one share; the one-sided test of Fisher (1922) for two.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

CONFIDENCE = 0.95
STEPS = 60  # halvings of the interval from 0 to 1, beyond the precision of a float


def fisher_p_value(failures: int, runs: int, base_failures: int, base_runs: int) -> float:
    """Return the probability of as many failures or more among these runs if both groups fail equally often.

    Args:
        failures: The number of these runs that failed.
        runs: The number of these runs.
        base_failures: The number of the other runs that failed.
        base_runs: The number of the other runs.
    """
    total, whole = failures + base_failures, runs + base_runs
    ways = sum(
        math.comb(runs, number) * math.comb(base_runs, total - number)
        for number in range(failures, min(runs, total) + 1)
        if total - number <= base_runs
    )
    return float(ways / math.comb(whole, total))


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
