"""When a machine that was recorded had no CPU time left, and its CPU pressure: what a predicted overload was like."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from pytest_twin.analysis.fidelity.resampling import Values, resample

FULL = 0.98  # of all CPUs; a machine that is busier in an interval has no CPU time left, but for the error of sampling


class MeasuredOverload(NamedTuple):
    """What a run showed of an overload.

    Attributes:
        share: The share of the time in which no CPU time was left; None if it is not known.
        pressure: The mean CPU pressure; None if it is not known.
    """

    share: float | None
    pressure: float | None


def measure_overload(
    ends: Values, busy: Values, pressure: Values | None, step_s: float, duration_s: float
) -> MeasuredOverload:
    """Return the overload in the samples of a run.

    Args:
        ends: The end of each sample in seconds since the load began.
        busy: The share of all CPUs that was busy in each; NaN is unknown.
        pressure: The share of time in which some task waited for a CPU, in each; NaN is unknown.
        step_s: The interval of the recording that was replayed; a machine is judged by its mean over that.
        duration_s: The seconds from the start of the load on that count.
    """
    count = max(1, round(duration_s / step_s))
    shares = _means(ends, busy, step_s, count)
    pressures = np.array([]) if pressure is None else _means(ends, pressure, step_s, count)
    return MeasuredOverload(
        float(np.mean(shares >= FULL)) if len(shares) else None,
        float(np.mean(pressures)) if len(pressures) else None,
    )


def _means(ends: Values, values: Values, step_s: float, count: int) -> Values:
    """Return the known means over intervals of the recording."""
    known = np.isfinite(values)
    if known.sum() < 2:
        return np.array([])
    means = resample(ends[known], values[known], float(np.median(np.diff(ends[known]))), step_s, count)
    return means[np.isfinite(means)]
