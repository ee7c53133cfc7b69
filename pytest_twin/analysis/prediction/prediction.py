"""Predict the slowdown of tests beside a recorded load, over all times at which they may start.

The speed of a test at a time is 1/S(u), with S its measured response to the load u of that time. Where several
resources are loaded and only each of them alone was measured, the truth is taken to be between the largest slowdown, as
if one hid the others, and their product, as if each slowed what the others left; where they were measured together, it
is known.

Intervals come from a bootstrap: each replicate draws the response by the errors of the profile, and blocks of the
recording, all resources together, so that what follows each other in it stays together (Künsch, 1989).
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
FEWEST_REPLICATES, MOST_REPLICATES = 20, 200
MOST_ROWS = 4_000_000  # of all replicates together
FEWEST_BLOCKS = 8
SEED = 1989


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


def predict_slowdown(
    idle_s: float, responses: Mapping[str, LoadResponse], course: LoadCourse, joint: JointEffect | None = None
) -> PredictedSlowdown:
    """Predict the slowdown of a test.

    Args:
        idle_s: The seconds that it takes without load, above 0.
        responses: Its response to the load of each resource, at least one.
        course: The load over time, with these resources.
        joint: How the loads of these resources slow it together; None if that is unknown.
    """
    total = float(course.durations.sum())
    means = {name: np.array([float(course.loads[name] @ course.durations) / total]) for name in responses}
    beyond = {
        name: float(course.durations[course.loads[name] > each.highest * (1 + 1e-9)].sum()) / total
        for name, each in responses.items()
    }
    largest, product = _quantiles(idle_s, responses, course, joint)
    low, high = _bounds(idle_s, responses, course, joint, math.ceil(product[0] * idle_s))
    quantiles = {
        share: SlowdownRange(
            float(largest[at]), float(product[at]),
            None if low is None else min(float(low[at]), float(largest[at])),
            None if high is None else max(float(high[at]), float(product[at])),
        )
        for at, share in enumerate(SHARES)
    }  # fmt: skip
    at_mean = (float(each[0]) for each in _combined(responses, means, joint))
    return PredictedSlowdown(quantiles, SlowdownRange(*at_mean), beyond)


def _combined(
    responses: Mapping[str, LoadResponse], loads: Mapping[str, Numbers], joint: JointEffect | None
) -> Sequence[Numbers]:
    """Return the slowdowns at the same times by the largest and by the product; only one if they are the same."""
    each = [response.at(loads[name]) for name, response in responses.items()]
    if joint is not None and len(each) > 1:
        return (combined := joint.combine(each)), combined
    return (each[0], each[0]) if len(each) == 1 else (np.maximum.reduce(each), np.multiply.reduce(each))


def _quantiles(
    idle_s: float, responses: Mapping[str, LoadResponse], course: LoadCourse, joint: JointEffect | None
) -> tuple[Numbers, Numbers]:
    """Return the quantiles over all start times, by the largest and by the product."""
    starts = start_times(course.durations)
    largest, product = _combined(responses, course.loads, joint)
    found = np.quantile(slowdowns_by_start(course.durations, largest, idle_s, starts), SHARES)
    if product is largest:
        return found, found
    return found, np.quantile(slowdowns_by_start(course.durations, product, idle_s, starts), SHARES)


def _bounds(
    idle_s: float,
    responses: Mapping[str, LoadResponse],
    course: LoadCourse,
    joint: JointEffect | None,
    longest_s: float,
) -> tuple[Numbers | None, Numbers | None]:
    """Return the bounds of the quantiles; None if the error of a response is unknown."""
    is_unknown = joint is not None and len(responses) > 1 and joint.error is None
    if is_unknown or any(response.errors is None for response in responses.values()):
        return None, None
    rows = len(course.durations)
    draw = np.random.default_rng(SEED)
    length = _block_length(course.durations, longest_s)
    replicates = [
        _quantiles(
            idle_s,
            {name: each.drawn(draw) for name, each in responses.items()},
            course.rows(_blocks(rows, length, draw)),
            None if joint is None else joint.drawn(draw),
        )
        for _ in range(min(max(MOST_ROWS // rows, FEWEST_REPLICATES), MOST_REPLICATES))
    ]
    outside = (1 - CONFIDENCE) / 2
    low = np.quantile([largest for largest, _ in replicates], outside, axis=0)
    return low, np.quantile([product for _, product in replicates], 1 - outside, axis=0)


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
