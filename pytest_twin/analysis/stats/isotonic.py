"""Isotonic regression: the nearest values that never fall."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

Values = np.ndarray[Any, np.dtype[np.float64]]


def rising_means(values: Sequence[float], weights: Sequence[float]) -> Values:
    """Return the rising values that are nearest by least squares; those that fall are replaced by their weighted mean.

    Pool adjacent violators (Ayer and others, 1955).
    """
    pools: list[tuple[float, float, int]] = []  # mean, weight and number of values of each
    for value, weight in zip(values, weights, strict=True):
        pools.append((value, weight, 1))
        while len(pools) > 1 and pools[-2][0] >= pools[-1][0]:
            (one, of_one, ones), (other, of_other, others) = pools[-2:]
            total = of_one + of_other
            pools[-2:] = [((one * of_one + other * of_other) / total, total, ones + others)]
    return np.repeat([mean for mean, _, _ in pools], [count for _, _, count in pools])
