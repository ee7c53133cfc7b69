"""The factor that all tests of a run have in common, mostly the speed of the machine at that time.

The logarithm of a figure is split into a part of its test and a part of its run, by medians, as one sweep of Tukey's
median polish does (Exploratory Data Analysis, 1977, chapter 11). It does not use which runs are before and which after,
so a rank test on the residuals is as exact as one on the figures themselves.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pytest_twin.model.measure import Measure

if TYPE_CHECKING:
    import pandas as pd

FEWEST_TESTS = 5  # of fewer, one that changed would be much of what they have in common


class CommonFactor(NamedTuple):
    """The factor of each run, relative to the median run before.

    Attributes:
        before: Of the runs before, by their number.
        after: Of the runs after.
    """

    before: pd.Series[float]
    after: pd.Series[float]

    @property
    def ratio(self) -> float:
        """The median factor of the runs after."""
        return float(self.after.median() / self.before.median())


def common_factor(before: pd.DataFrame, after: pd.DataFrame, measure: Measure) -> CommonFactor | None:
    """Return the common factor of each run; None for measures that no machine affects, and for too few tests.

    Args:
        before: Tests that passed in every run: one row per test, one column per run.
        after: The same tests after.
        measure: The measure in them.
    """
    is_worth = np.maximum(before.median(axis=1), after.median(axis=1)) >= measure.floor
    is_worth &= (before > 0).all(axis=1) & (after > 0).all(axis=1)
    if measure.unit != "s" or is_worth.sum() < FEWEST_TESTS:
        return None
    logs = [side[is_worth].map(math.log) for side in (before, after)]
    usual = np.median(np.hstack([each.to_numpy() for each in logs]), axis=1)
    was, now = (each.sub(usual, axis=0).median() for each in logs)
    return CommonFactor(np.exp(was - was.median()), np.exp(now - was.median()))
