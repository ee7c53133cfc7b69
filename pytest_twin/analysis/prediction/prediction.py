"""Predict the slowdown of tests beside a recorded load, over all times at which they may start.

The speed of a test at a time is 1/S(u), with S its measured response to the load u of that time. Where several
resources are loaded and only each of them alone was measured, the truth is taken to be between the largest slowdown, as
if one hid the others, and their product, as if each slowed what the others left; where they were measured together, it
is known.

Intervals come from a bootstrap: each replicate draws the response by the errors of the profile and by how well a
profile holds for a later run, and blocks of the recording, all resources together, so that what follows each other
in it stays together (Künsch, 1989). For a number of runs it draws their start times too, and how much the duration of a
run varies under the same load.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pytest_twin.analysis.prediction.course import slowdowns_by_start, start_times
from pytest_twin.analysis.prediction.response import JointEffect, LoadResponse, Numbers
from pytest_twin.analysis.stats.signed_rank import CONFIDENCE

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARES = (0.5, 0.95, 0.99)  # the quantiles over all start times
FEWEST_REPLICATES, MOST_REPLICATES = 20, 500
MOST_ROWS = 4_000_000  # of all replicates together
FEWEST_BLOCKS = 8
SEED = 1989
# The standard error of a response in a later run and beside a load that varies, as a share of the logarithm of the
# slowdown, beyond that of the profile. benchmarks/predict_accuracy.py found 0.05 to 0.09.
TRANSFER_ERROR = 0.06


class LoadCourse(NamedTuple):
    """The load of a machine over time.

    Attributes:
        durations: The seconds of each interval.
        loads: For each resource, its load in each interval.
    """

    durations: Numbers
    loads: Mapping[str, Numbers]

    def rows(self, chosen: NDArray[np.int64]) -> LoadCourse:
        """Return some of the intervals, in the order given."""
        return LoadCourse(self.durations[chosen], {name: each[chosen] for name, each in self.loads.items()})


class SlowdownRange(NamedTuple):
    """A predicted slowdown; with several resources a range, unless they were measured together.

    Attributes:
        largest: If only the resource counts that slows most at a time.
        product: If the slowdowns by all resources multiply.
        low: The lower bound of the confidence interval of `largest`; None if unknown.
        high: The upper bound of that of `product`.
    """

    largest: float
    product: float
    low: float | None = None
    high: float | None = None


class PredictedSlowdown(NamedTuple):
    """The predicted slowdown of a test.

    Attributes:
        quantiles: Over all times at which it may start, by their shares.
        at_mean_load: The slowdown at the mean of the load, which is not what the test meets.
        beyond: For each resource the share of the time at which its load is above the highest measured one.
    """

    quantiles: Mapping[float, SlowdownRange]
    at_mean_load: SlowdownRange
    beyond: Mapping[str, float]


class ExposedTest(NamedTuple):
    """A test beside a load.

    Attributes:
        idle_s: The seconds that it takes without load, above 0.
        responses: Its response to the load of each resource, at least one.
        course: The load over time, with these resources.
        joint: How the loads of these resources slow it together; None if that is unknown.
    """

    idle_s: float
    responses: Mapping[str, LoadResponse]
    course: LoadCourse
    joint: JointEffect | None = None

    @property
    def has_errors(self) -> bool:
        """Whether the errors of all its responses are known."""
        if self.joint is not None and len(self.responses) > 1 and self.joint.error is None:
            return False
        return all(response.errors is not None for response in self.responses.values())

    def combine(self, loads: Mapping[str, Numbers]) -> Sequence[Numbers]:
        """Return the slowdowns under these loads by the largest and by the product; only one if they are the same."""
        each = [response.at(loads[name]) for name, response in self.responses.items()]
        if self.joint is not None and len(each) > 1:
            return (combined := self.joint.combine(each)), combined
        return (each[0], each[0]) if len(each) == 1 else (np.maximum.reduce(each), np.multiply.reduce(each))

    def slowdowns(self, starts: Numbers) -> tuple[Numbers, Numbers]:
        """Return the slowdown of a run from each start time on, by the largest and by the product."""
        durations = self.course.durations
        largest, product = self.combine(self.course.loads)
        found = slowdowns_by_start(durations, largest, self.idle_s, starts)
        return found, found if product is largest else slowdowns_by_start(durations, product, self.idle_s, starts)

    def runs(self, number: int, draw: np.random.Generator) -> tuple[Numbers, Numbers]:
        """Return the slowdowns of some runs that start at random times, which vary under the same load too."""
        largest, product = self.slowdowns(draw.uniform(0.0, float(self.course.durations.sum()), number))
        deviation = math.sqrt(np.mean([response.variance for response in self.responses.values()]))
        factors = np.exp(draw.normal(0.0, deviation, number))
        return largest * factors, product * factors

    def drawn(self, draw: np.random.Generator, length: int) -> ExposedTest:
        """Return a replicate: the responses by their errors, and blocks of this number of intervals of the load."""
        return ExposedTest(
            self.idle_s,
            {name: each.drawn(draw, TRANSFER_ERROR) for name, each in self.responses.items()},
            self.course.rows(_blocks(len(self.course.durations), length, draw)),
            None if self.joint is None else self.joint.drawn(draw),
        )


def predict_slowdown(test: ExposedTest, runs: int | None = None) -> PredictedSlowdown:
    """Predict the slowdown of a test.

    Args:
        test: The test beside the load.
        runs: The intervals are those of the quantiles of this number of runs, which start at random times; None for
            those of all times at which it may start.
    """
    durations = test.course.durations
    total = float(durations.sum())
    means = {name: np.array([float(test.course.loads[name] @ durations) / total]) for name in test.responses}
    beyond = {
        name: float(durations[test.course.loads[name] > each.highest * (1 + 1e-9)].sum()) / total
        for name, each in test.responses.items()
    }
    largest, product = np.quantile(test.slowdowns(start_times(durations)), SHARES, axis=1).T
    low, high = _bounds(test, math.ceil(product[0] * test.idle_s), runs)
    quantiles = {
        share: SlowdownRange(
            float(largest[at]), float(product[at]),
            None if low is None else min(float(low[at]), float(largest[at])),
            None if high is None else max(float(high[at]), float(product[at])),
        )
        for at, share in enumerate(SHARES)
    }  # fmt: skip
    at_mean = (float(each[0]) for each in test.combine(means))
    return PredictedSlowdown(quantiles, SlowdownRange(*at_mean), beyond)


def _bounds(test: ExposedTest, longest_s: float, runs: int | None) -> tuple[Numbers | None, Numbers | None]:
    """Return the bounds of the quantiles; None if the error of a response is unknown."""
    if not test.has_errors:
        return None, None
    draw = np.random.default_rng(SEED)
    rows, length = len(test.course.durations), _block_length(test.course.durations, longest_s)
    replicates = []
    for _ in range(min(max(MOST_ROWS // rows, FEWEST_REPLICATES), MOST_REPLICATES)):
        each = test.drawn(draw, length)
        found = each.slowdowns(start_times(each.course.durations)) if runs is None else each.runs(runs, draw)
        replicates.append(np.quantile(found, SHARES, axis=1))
    outside = (1 - CONFIDENCE) / 2
    low, high = np.quantile(replicates, (outside, 1 - outside), axis=0)
    return low[:, 0], high[:, 1]


def _block_length(durations: Numbers, longest_s: float) -> int:
    """Return the number of intervals in a block: longer than a test, but enough blocks in the recording."""
    rows = len(durations)
    of_test = 2 * longest_s / (float(durations.sum()) / rows)
    return max(1, min(math.ceil(max(math.cbrt(rows), of_test)), rows // FEWEST_BLOCKS))


def _blocks(rows: int, length: int, draw: np.random.Generator) -> NDArray[np.int64]:
    """Return the numbers of intervals in blocks that start anywhere; after the last interval comes the first."""
    begins = draw.integers(0, rows, math.ceil(rows / length))
    chosen: NDArray[np.int64] = ((begins[:, None] + np.arange(length)) % rows).ravel()[:rows]
    return chosen
