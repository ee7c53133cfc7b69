"""What the gates measure: figures of a recorded and a replayed series on the same intervals.

Each function returns a number, or a text that says why there is none. NaN in a series is an unknown value.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pytest_twin.analysis.fidelity.resampling import Values

FEWEST_POINTS = 10  # that both series have; fewer tell nothing
FLAT = 1e-9  # a standard deviation below this share of the largest value is rounding
LAG_SHARE, DRIFT_SHARE = 4, 6  # a lag may be as long as this fraction of the recording
SHORTEST_PART = 50  # intervals that tell a lag
MOST_UNLIKE = 0.8  # of the variance, the squared error at the best lag, as of r = 0.6; above, no lag can be told
SIGNIFICANT = 6.0  # over the root of the number of values: how much larger the squared error at a worse lag is
MOST_ALIKE = 0.999  # correlation of neighbours
EVENT_CHANGE = 0.25  # standard deviations; changes over the shortest event are at least so large
IDLE_CHANGES = 2.0  # times the standard deviation of an idle machine; they are at least so large too
FEWEST_BEYOND = 5  # values beyond a percentile; it is a matter of chance with fewer
FEWEST_IN_MEAN = 3.0  # values that a mean rests on; with 2 % of noise in each, its bias exceeds 5 % once in 450 times
LEAST_SHARE_SPREAD = 0.25  # of the machine, of a share; points of less are the noise of any machine
CONSTANT_RUN, CONSTANT_RECORDING = "the run does not vary", "the recording does not vary"


def is_flat(values: Values) -> bool:
    """Return whether the known values do not vary."""
    known = values[np.isfinite(values)]
    return not len(known) or float(np.std(known)) <= FLAT * float(np.max(np.abs(known)))


def coverage(recorded: Values, replayed: Values) -> float:
    """Return the share of the recorded values that the run has a value for."""
    there = np.isfinite(recorded)
    return float(np.mean(np.isfinite(replayed[there])))


def mean_bias(recorded: Values, replayed: Values, least: float = 0.0) -> float | str:
    """Return the normalized mean bias error of ASHRAE Guideline 14, with n - 1, in per cent of the recorded mean.

    The mean of one burst and many zeros is the amount of that burst, and its bias the error of a single value. How many
    values a mean rests on is the effective sample size of L. Kish, Survey Sampling (1965): the squared sum divided by
    the sum of squares.

    Args:
        recorded: The recorded values.
        replayed: The values of the run.
        least: What the mean counts for at least.
    """
    mean = max(float(np.mean(recorded)), least)
    if mean <= 0:
        return "the recorded mean is 0"
    if float(np.sum(recorded)) ** 2 < FEWEST_IN_MEAN * float(np.sum(recorded**2)):
        return f"fewer than {FEWEST_IN_MEAN:g} values make up the recorded mean"
    return 100 * float(np.sum(replayed - recorded)) / (len(recorded) - 1) / mean


def cv_rmse(recorded: Values, replayed: Values, least: float = 0.0) -> float | str:
    """Return the coefficient of variation of the RMSE of ASHRAE Guideline 14, with n - 1, in per cent of the mean.

    The mean of a load that comes in rare bursts is no measure of its errors; the skill judges such a load.

    Args:
        recorded: The recorded values.
        replayed: The values of the run.
        least: What the mean counts for at least.
    """
    mean = max(float(np.mean(recorded)), least)
    if mean < float(np.std(recorded)):
        return "the recorded mean is less than the standard deviation"
    return 100 * math.sqrt(float(np.sum((replayed - recorded) ** 2)) / (len(recorded) - 1)) / mean


def skill(recorded: Values, replayed: Values) -> float:
    """Return 1 - RMSE²/variance: 1 for equal series, 0 for the recorded mean, below 0 for worse."""
    return 1 - float(np.mean((replayed - recorded) ** 2) / np.var(recorded))


def correlation(first: Values, second: Values) -> float | str:
    """Return Pearson's r of the values that are known in both."""
    known = np.isfinite(first) & np.isfinite(second)
    first, second = first[known], second[known]
    if is_flat(second):
        return CONSTANT_RUN
    if is_flat(first):
        return CONSTANT_RECORDING
    return float(np.corrcoef(first, second)[0, 1])


def spread(recorded: Values, least: float = 0.0) -> float:
    """Return the range from the 1st to the 99th percentile, or the whole range where these are equal.

    Args:
        recorded: The recorded values.
        least: What to return at least.
    """
    low, high = np.quantile(recorded, [0.01, 0.99])
    return max(float(high - low) or float(np.ptp(recorded)), least)


def quantile_error(recorded: Values, replayed: Values, share: float, scale: float) -> float | str:
    """Return the difference of a quantile, in hundredths of a scale."""
    if (1 - share) * len(recorded) < FEWEST_BEYOND:
        return f"fewer than {math.ceil(FEWEST_BEYOND / (1 - share) - FLAT)} values are known on both sides"
    return 100 * float(np.quantile(replayed, share) - np.quantile(recorded, share)) / scale


def wasserstein(recorded: Values, replayed: Values, scale: float) -> float:
    """Return the distance of the distributions, in hundredths of a scale."""
    from scipy.stats import wasserstein_distance

    return 100 * float(wasserstein_distance(recorded, replayed)) / scale


def lag(recorded: Values, replayed: Values) -> int | str:
    """Return by how many intervals the run is late; negative where it is early."""
    return _best_lag(*_standardized(recorded, replayed), len(recorded) // LAG_SHARE)


def drift(recorded: Values, replayed: Values) -> int | str:
    """Return by how many intervals more the run is late in the last third than in the first."""
    third = len(recorded) // 3
    pair = _standardized(recorded, replayed)
    first = _lag_of_part(*pair, 0, third)
    last = _lag_of_part(*pair, len(recorded) - third, len(recorded))
    if isinstance(first, str) or isinstance(last, str):
        return f"the first third: {first}" if isinstance(first, str) else f"the last third: {last}"
    return last - first


def _standardized(recorded: Values, replayed: Values) -> tuple[Values, Values]:
    """Return both series with mean 0 and deviation 1 where both are known: scale and offset are no matter of time."""
    known = np.isfinite(recorded) & np.isfinite(replayed)
    first, second = (
        (values - np.mean(values[known])) / (float(np.std(values[known])) or 1.0) for values in (recorded, replayed)
    )
    return first, second


def _lag_of_part(recorded: Values, replayed: Values, start: int, stop: int) -> int | str:
    """Return the lag of a part of the recording, or of the liveliest half, quarter, ... of it that tells one.

    A run at another speed resembles the recording over a short time only.
    """
    size = stop - start
    found: int | str = "too few values that differ"
    while size >= FEWEST_POINTS:
        places = range(start, stop - size + 1, max(size // 2, 1))
        liveliest = max(places, key=lambda place: _variance(recorded[place : place + size]))
        part = np.full(len(recorded), np.nan)
        part[liveliest : liveliest + size] = recorded[liveliest : liveliest + size]
        if not is_flat(part):
            found = _best_lag(part, replayed, len(recorded) // DRIFT_SHARE)
        if isinstance(found, int) or size < 2 * SHORTEST_PART:
            break
        size //= 2
    return found


def _variance(values: Values) -> float:
    known = values[np.isfinite(values)]
    return float(np.var(known)) if len(known) else 0.0


def _best_lag(recorded: Values, replayed: Values, longest: int) -> int | str:
    """Return the shortest lag at which the run is about as like the recording as at the best one.

    Noise moves the maximum of a broad peak, and a periodic load has several: of lags with about the same error, the
    shortest counts.
    """
    lags, errors = _errors_by_lag(recorded, replayed, longest)
    if not len(lags) or (least := float(np.min(errors))) > MOST_UNLIKE * _variance(recorded):
        return "the run resembles the recording at no lag"
    differences = _shifted(replayed, int(lags[np.argmin(errors)])) - recorded
    chance = 1 + SIGNIFICANT / math.sqrt(_independent(differences))  # a ratio of variances that is left to chance
    equal = lags[errors <= least * chance + FLAT]
    return int(equal[np.argmin(np.abs(equal))])


def _shifted(values: Values, intervals: int) -> Values:
    """Return values that come so many intervals earlier; unknown where there are none."""
    shifted = np.full(len(values), np.nan)
    size = max(len(values) - abs(intervals), 0)
    shifted[max(-intervals, 0) :][:size] = values[max(intervals, 0) :][:size]
    return shifted


def _independent(differences: Values) -> float:
    """Return how many independent values tell the mean square of these as well as all of them do.

    Each is like the one before it, with a correlation r, so their squares are with r² (M. S. Bartlett, 1946, for a
    first-order autoregressive series).
    """
    known = differences[np.isfinite(differences)]
    r = correlation(differences[:-1], differences[1:])
    square = 0.0 if isinstance(r, str) else min(max(r, 0.0), MOST_ALIKE) ** 2
    return max(1.0, len(known) * (1 - square) / (1 + square))


def _errors_by_lag(recorded: Values, replayed: Values, longest: int) -> tuple[Any, Values]:
    """Return the lags, and the mean squared difference at each of them, from cross-correlations of known values."""
    from scipy.signal import correlate, correlation_lags

    x, y = np.nan_to_num(recorded), np.nan_to_num(replayed)
    x_known, y_known = np.isfinite(recorded).astype(np.float64), np.isfinite(replayed).astype(np.float64)
    lags = correlation_lags(len(y), len(x))
    near = np.abs(lags) <= longest

    def sums(later: Values, earlier: Values) -> Values:
        found: Values = correlate(later, earlier, method="fft")[near]
        return found

    pairs = np.round(sums(y_known, x_known))
    usable = pairs >= max(FEWEST_POINTS, float(np.sum(x_known * y_known)) / 2)
    squares = sums(y_known, x**2) + sums(y**2, x_known) - 2 * sums(y, x)
    return lags[near][usable], np.maximum(squares[usable] / pairs[usable], 0.0)


def shortest_event(recorded: Values, idle: float = 0.0) -> int:
    """Return the fewest intervals over which the recording changes by a quarter of its standard deviation (RMS).

    Args:
        recorded: The recorded values.
        idle: The standard deviation of an idle machine; changes of less than twice that are noise.
    """
    enough = max(EVENT_CHANGE * float(np.nanstd(recorded)), IDLE_CHANGES * idle)
    longest = max(len(recorded) // LAG_SHARE, 1)
    for span in range(1, longest):
        changes = recorded[span:] - recorded[:-span]
        known = changes[np.isfinite(changes)]
        if len(known) >= FEWEST_POINTS and math.sqrt(float(np.mean(known**2))) >= enough:
            return span
    return longest


def changes(recorded: Values, replayed: Values, span: int) -> tuple[Values, Values]:
    """Return the changes over `span` intervals, where both are known; a change by rounding is none."""
    first, second = _changes(recorded, span), _changes(replayed, span)
    known = np.isfinite(first) & np.isfinite(second)
    return first[known], second[known]


def _changes(values: Values, span: int) -> Values:
    found = values[span:] - values[:-span]
    return np.where(np.abs(found) <= FLAT * float(np.nanmax(np.abs(values))), 0.0, found)
