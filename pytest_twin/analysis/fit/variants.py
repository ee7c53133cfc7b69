"""Different days of the same kind: the phases of a fit moved and stretched, all resources of a phase together."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations, pairwise
from typing import NamedTuple

import numpy as np

from pytest_twin.analysis.fidelity import measures
from pytest_twin.analysis.fidelity.resampling import Values
from pytest_twin.analysis.fidelity.scorecard import SHARE
from pytest_twin.analysis.fit.judgement import averaged
from pytest_twin.analysis.fit.phases import Fit, Phase
from pytest_twin.analysis.fit.rounding import time_units
from pytest_twin.model.machine_recording import RESOURCES, MachineRecording

FARTHEST = 0.25  # of the number of phases, how far one moves at most
STRETCH = 0.3  # of its duration, by how much a phase is longer or shorter at most
DRAWS = 30  # for each variant
TIMES = 500  # in a day, at which a phase may begin
INTERVALS = 1000  # in which days are compared
LONGEST_LAG = 0.25  # of the recording
MAX_DISTANCE = 5.0  # points, of the distributions
MAX_CORRELATION_ERROR = 0.2  # of autocorrelations, and of correlations between resources


class VariantFigures(NamedTuple):
    """How far a variant is from the recording, in the worst resource.

    Attributes:
        distance: The Wasserstein distance of the distributions in points.
        autocorrelation: The root mean square difference of the autocorrelation up to a quarter of the recording.
        coupling: The largest difference of the correlation between two resources.
    """

    distance: float
    autocorrelation: float
    coupling: float

    @property
    def passes(self) -> bool:
        """Whether it is a day of the same kind."""
        return self.distance <= MAX_DISTANCE and max(self.autocorrelation, self.coupling) <= MAX_CORRELATION_ERROR


class Variant(NamedTuple):
    """A day of the same kind: the fit with its phases moved, and how far it is from the recording."""

    fit: Fit
    figures: VariantFigures


def find_variants(
    fit: Fit, count: int, seed: int, recording: MachineRecording, target: Callable[[Fit], MachineRecording]
) -> list[Variant]:
    """Return days that are all different and of the same kind; fewer where no more were drawn.

    They are compared in intervals of a thousandth of the recording, since single values are not what a schedule tells.

    Args:
        fit: The fit.
        count: How many variants are wanted.
        seed: The seed of the random numbers.
        recording: The recording.
        target: Returns what a fit is to be like in a recording, in the same intervals.
    """
    rng = np.random.default_rng(seed)
    interval = max(recording.interval_s, fit.duration_s / INTERVALS)
    averages = averaged(recording, interval)
    known = [fit.phases]
    found: list[Variant] = []
    for _ in range(count * DRAWS):
        if len(found) == count:
            break
        drawn = replace(fit, phases=_moved(fit.phases, rng))
        if drawn.phases in known:
            continue
        known.append(drawn.phases)
        figures = measure_variant(averages, averaged(target(drawn), interval))
        if figures.passes:
            found.append(Variant(drawn, figures))
    return found


def _moved(phases: Sequence[Phase], rng: np.random.Generator) -> tuple[Phase, ...]:
    """Return the phases in another order, each not far from its place, so that the course of the day stays."""
    reach = rng.uniform(0, FARTHEST) * len(phases)
    order = np.argsort(np.arange(len(phases)) + rng.uniform(-reach, reach, len(phases)))
    durations = np.array([phases[place].duration_s for place in order])
    lengths = durations * rng.uniform(1 - STRETCH, 1 + STRETCH, len(phases))
    whole = float(durations.sum())
    unit = next(iter(time_units(whole / TIMES, 0.0)), whole / TIMES)
    ends = np.round(np.cumsum(lengths)[:-1] / lengths.sum() * whole / unit) * unit
    times = [0.0, *(float(f"{end:.3f}") for end in ends), whole]
    return tuple(
        Phase(start, round(end - start, 3), phases[place].levels)
        for place, (start, end) in zip(order, pairwise(times), strict=True)
        if end > start
    )


def measure_variant(recording: MachineRecording, variant: MachineRecording) -> VariantFigures:
    """Return how far a variant is from a recording, both in the same intervals."""
    count = min(len(recording.frame), len(variant.frame))
    pairs = {
        str(name): (recording.frame[name].to_numpy()[:count], variant.frame[name].to_numpy()[:count])
        for name in variant.frame
        if name in recording.frame
    }
    pairs = {name: pair for name, pair in pairs.items() if not any(map(measures.is_flat, pair))}
    distances = []
    for name, (first, second) in pairs.items():
        known = first[np.isfinite(first)]
        least = measures.LEAST_SHARE_SPREAD if RESOURCES[name].unit == SHARE else 0.0
        distances.append(measures.wasserstein(known, second, measures.spread(known, least)))
    rms = [float(np.sqrt(np.mean((_autocorrelation(a) - _autocorrelation(b)) ** 2))) for a, b in pairs.values()]
    couplings = [
        abs(_coupling(pairs[one][0], pairs[other][0]) - _coupling(pairs[one][1], pairs[other][1]))
        for one, other in combinations(pairs, 2)
    ]
    return VariantFigures(max(distances, default=0.0), max(rms, default=0.0), max(couplings, default=0.0))


def _autocorrelation(values: Values) -> Values:
    """Return the correlation with itself at lags up to a quarter of the length, of what is known."""
    known = np.isfinite(values).astype(np.float64)
    standard = np.nan_to_num((values - np.nanmean(values)) / np.nanstd(values))
    lags = slice(len(values), len(values) + max(1, int(LONGEST_LAG * len(values))))  # from 1 on
    pairs = np.correlate(known, known, "full")[lags]
    return np.correlate(standard, standard, "full")[lags] / np.maximum(pairs, 1.0)


def _coupling(first: Values, second: Values) -> float:
    """Return the correlation of two resources; 0 where one does not vary."""
    found = measures.correlation(first, second)
    return 0.0 if isinstance(found, str) else found
