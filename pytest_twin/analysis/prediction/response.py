"""The slowdown of a test as a function of the load of one resource, through the levels of its profile."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pytest_twin.analysis.stats.isotonic import rising_means
from pytest_twin.analysis.stats.signed_rank import CONFIDENCE

Numbers = NDArray[np.float64]
LEAST_WAY = math.log(1.02)  # between the largest slowdown and the product; less is lost in the noise
MOST_SHARE = 2.0  # loads may disturb each other, but a measurement of more is a disturbance from outside
MEDIAN_VARIANCE = math.pi / 2  # of a median of normal values, relative to that of their mean
BORDER = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)  # of an interval, in standard deviations


class MeasuredLevel(NamedTuple):
    """The slowdown that was measured at one level of a load.

    Attributes:
        load: The load: a share, or bytes per second.
        slowdown: The median ratio of the duration to that without load.
        low: The lower bound of its confidence interval; None with too few repetitions.
        high: The upper bound.
        weight: The number of measurements.
    """

    load: float
    slowdown: float
    low: float | None
    high: float | None
    weight: int


@dataclass(frozen=True, eq=False)
class LoadResponse:
    """The slowdown of a test by the load of one resource: 1 without load, never less under more load.

    It is a straight line between the measured levels, and constant above the highest of them.

    Attributes:
        loads: The loads, ascending from 0.
        slowdowns: The slowdown at each.
        logs: The logarithm of the slowdown that was measured at each but the first.
        errors: The standard error of each logarithm; None if one is unknown.
        weights: The number of measurements of each.
    """

    loads: Numbers
    slowdowns: Numbers
    logs: Numbers
    errors: Numbers | None
    weights: Numbers

    @classmethod
    def fit(cls, levels: Sequence[MeasuredLevel]) -> LoadResponse:
        """Return the response through levels above 0, at least one, each of another load."""
        ordered = sorted(levels)
        logs = np.array([math.log(level.slowdown) for level in ordered])
        weights = np.array([float(max(1, level.weight)) for level in ordered])
        widths = [math.log(each.high / each.low) for each in ordered if each.low is not None and each.high is not None]
        errors = np.array(widths) / (2 * BORDER) if len(widths) == len(ordered) else None
        loads = np.array([0.0, *(level.load for level in ordered)])
        return cls(loads, _rising_slowdowns(logs, weights), logs, errors, weights)

    @property
    def highest(self) -> float:
        """The highest load that was measured."""
        return float(self.loads[-1])

    @property
    def variance(self) -> float:
        """The variance of the logarithm of one run's duration under the same load, as in the profile; 0 if unknown."""
        if self.errors is None:
            return 0.0
        return float(np.mean(self.errors**2 * self.weights)) / MEDIAN_VARIANCE

    def at(self, loads: Numbers) -> Numbers:
        """Return the slowdown at each load."""
        return np.interp(loads, self.loads, self.slowdowns)

    def drawn(self, draw: np.random.Generator, transfer_error: float = 0.0) -> LoadResponse:
        """Return the response as another profile might have measured it, by the standard errors.

        Args:
            draw: Where random numbers come from.
            transfer_error: The standard error of all its logarithms together, as a share of them.
        """
        if self.errors is None:
            return self
        logs = self.logs + draw.normal(0.0, 1.0, len(self.logs)) * self.errors
        logs *= draw.normal(1.0, transfer_error)
        slowdowns = _rising_slowdowns(logs, self.weights)
        return LoadResponse(self.loads, slowdowns, self.logs, self.errors, self.weights)


class JointLevel(NamedTuple):
    """The slowdown that was measured under several loads together.

    Attributes:
        alone: The slowdown that was measured under each of the loads alone.
        together: What was measured under all of them; its load is not used.
    """

    alone: Sequence[float]
    together: MeasuredLevel


@dataclass(frozen=True)
class JointEffect:
    """How several loads together slow a test, as a share of the way from the largest slowdown to their product.

    The way is that of the logarithms: with the share a the slowdown is largest^(1-a) * product^a.

    Attributes:
        share: The share: 0 if one load hides the others, 1 if each slows what the others left.
        error: Its standard error; None if one of a measurement is unknown.
    """

    share: float
    error: float | None

    @classmethod
    def fit(cls, levels: Sequence[JointLevel]) -> JointEffect | None:
        """Return the effect by least squares; None if no two loads slow the test, so that there is nothing to tell."""
        ways, over, weights = [], [], []
        for alone, together in levels:
            logs = [max(0.0, math.log(each)) for each in alone]
            ways.append(sum(logs) - max(logs))
            over.append(math.log(together.slowdown) - max(logs))
            weights.append(max(1, together.weight) * ways[-1])
        scale = float(np.dot(weights, ways))
        if max(ways, default=0.0) < LEAST_WAY:
            return None
        widths = [
            math.log(each.high / each.low) for _, each in levels if each.low is not None and each.high is not None
        ]
        errors = np.array(widths) / (2 * BORDER) if len(widths) == len(levels) else None
        error = None if errors is None else float(np.linalg.norm(np.multiply(weights, errors))) / scale
        return cls(_within_bounds(float(np.dot(weights, over)) / scale), error)

    def combine(self, slowdowns: Sequence[Numbers]) -> Numbers:
        """Return the slowdown by all loads, given that by each of them, at least 1."""
        combined: Numbers = (
            np.maximum.reduce(slowdowns) ** (1 - self.share) * np.multiply.reduce(slowdowns) ** self.share
        )
        return combined

    def drawn(self, draw: np.random.Generator) -> JointEffect:
        """Return the effect as another profile might have measured it, by its standard error."""
        return (
            self if self.error is None else JointEffect(_within_bounds(draw.normal(self.share, self.error)), self.error)
        )


def _within_bounds(share: float) -> float:
    return min(max(share, 0.0), MOST_SHARE)


def _rising_slowdowns(logs: Numbers, weights: Numbers) -> Numbers:
    """Return 1, and for each level the nearest slowdown that is neither below 1 nor below that of a lower level.

    Levels that fall are replaced by their weighted mean.
    """
    rising = rising_means(logs.tolist(), weights.tolist())
    return np.concatenate([[1.0], np.exp(np.maximum(rising, 0.0))])
