"""What all tests of a run have in common: mostly how fast the machine was just then.

The logarithm of a figure is taken as that of its test and that of its run together, by medians, as one sweep of Tukey's
median polish does (Exploratory Data Analysis, 1977, chapter 11). Which runs are before and which after is not looked
at, so a test of ranks of what is left is as exact as one of the figures themselves.
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
    """How many times as much all tests took in each run as in the middle run before.

    Attributes:
        before: The runs before, by their number.
        after: The runs after.
    """

    before: pd.Series[float]
    after: pd.Series[float]

    @property
    def ratio(self) -> float:
        """How many times as much all tests alike take after."""
        return float(self.after.median() / self.before.median())


def common_factor(before: pd.DataFrame, after: pd.DataFrame, measure: Measure) -> CommonFactor | None:
    """What the tests of each run have in common; None of what no machine makes more of, and of too few tests.

    Args:
        before: Tests that passed in every run, a row each, a column a run.
        after: The same tests after.
        measure: What is in it.
    """
    is_worth = np.maximum(before.median(axis=1), after.median(axis=1)) >= measure.floor
    is_worth &= (before > 0).all(axis=1) & (after > 0).all(axis=1)
    if measure.unit != "s" or is_worth.sum() < FEWEST_TESTS:
        return None
    logs = [side[is_worth].map(math.log) for side in (before, after)]
    usual = np.median(np.hstack([each.to_numpy() for each in logs]), axis=1)
    was, now = (each.sub(usual, axis=0).median() for each in logs)
    return CommonFactor(np.exp(was - was.median()), np.exp(now - was.median()))
