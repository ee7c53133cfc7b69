"""Fit phases to a recording: between two changes of all resources each one is held, or goes along a straight line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from pytest_twin.analysis.fidelity.resampling import Values, resample
from pytest_twin.analysis.fidelity.scorecard import LEAST_DEVIATIONS
from pytest_twin.analysis.fit.change_points import cost_of_change, find_changes
from pytest_twin.analysis.fit.rounding import rounded_amount, time_units
from pytest_twin.analysis.fit.segment_costs import SegmentCosts
from pytest_twin.model.machine_recording import RESOURCES, MachineRecording

FITTED = ("cpu", "mem", "disk_write", "disk_read", "net_sent")
MEMORY = "mem"
FEWEST_INTERVALS = 20
ROUNDING = 0.01  # of the price of an event, what a round time may cost
LEAST_AMOUNTS = {"share": 0.001, "bytes/s": 1e4}  # less than that is not worth a load


class FitError(ValueError):
    """Nothing can be fitted; the message is for the user."""


class FitOptions(NamedTuple):
    """What a schedule may cost.

    Attributes:
        events: The largest number of events.
        tolerance: The least share of the variance, on average over the resources, that an event has to explain.
    """

    events: int = 20
    tolerance: float = 0.001


class Level(NamedTuple):
    """The amount of a resource at the start and at the end of a phase; equal where it is held."""

    first: float
    last: float


@dataclass(frozen=True)
class Phase:
    """A part of a schedule.

    Attributes:
        start_s: Its start in seconds after that of the recording.
        duration_s: Its duration in seconds.
        levels: The amount of each resource; of memory the rise above what is in use in all phases.
    """

    start_s: float
    duration_s: float
    levels: Mapping[str, Level]


@dataclass(frozen=True, eq=False)
class Fit:
    """A schedule that was fitted to a recording.

    Attributes:
        phases: Its phases; they follow one another without gaps.
        idle_memory: The share of the memory that is in use in all phases, and is no load.
    """

    phases: tuple[Phase, ...]
    idle_memory: float

    @property
    def events(self) -> int:
        """The number of phases with a load."""
        return sum(any(max(level) > 0 for level in phase.levels.values()) for phase in self.phases)

    @property
    def duration_s(self) -> float:
        """The length of all phases."""
        return self.phases[-1].start_s + self.phases[-1].duration_s

    @property
    def resources(self) -> tuple[str, ...]:
        """The resources that were fitted."""
        return tuple(self.phases[0].levels)

    @property
    def idle(self) -> dict[str, float]:
        """The amount of each resource that is in use without the schedule."""
        return {name: self.idle_memory if name == MEMORY else 0.0 for name in self.resources}


def fit_phases(recording: MachineRecording, options: FitOptions) -> Fit:
    """Fit phases to a recording.

    Raises:
        FitError: The recording has no resource that can be a load, is too short, or mostly a gap.
    """
    if problem := recording.gap_problem:
        raise FitError(problem)
    names, values = _known_series(recording)
    step = recording.interval_s
    means, deviations = np.nanmean(values, axis=1), np.nanstd(values, axis=1)
    varies = deviations > [LEAST_DEVIATIONS[name] for name in names]
    scales = np.where(varies, deviations, 1.0)
    series = np.where(varies[:, None], (values - means[:, None]) / scales[:, None], values * 0.0)
    price = options.tolerance * max(1.0, float(np.isfinite(series[varies]).sum()))
    costs = SegmentCosts(series, price / (len(names) + 1))
    borders = _round_times(costs, find_changes(costs, price, options.events), step, price)
    places = [round(each / step) for each in borders]
    levels = {
        name: [_possible(mean + scale * first, mean + scale * last) for first, last in _levels(costs, number, places)]
        for number, (name, mean, scale) in enumerate(zip(names, means, scales, strict=True))
    }
    return _written(borders, levels)


def _known_series(recording: MachineRecording) -> tuple[list[str], Values]:
    """Return the resources that have values, and a series of each on the same intervals.

    Raises:
        FitError: There are none, or they are too short.
    """
    step, frame = recording.interval_s, recording.frame
    count, ends = round(float(frame.index[-1]) / step), frame.index.to_numpy(np.float64)
    found = {
        name: resample(ends, frame[name].to_numpy(np.float64), step, step, count) for name in FITTED if name in frame
    }
    found = {name: values for name, values in found.items() if np.isfinite(values).any()}
    if not found:
        raise FitError(f"has nothing to fit: no values of {', '.join(FITTED)}")
    if count < FEWEST_INTERVALS:
        raise FitError(f"has {count} intervals; a fit needs {FEWEST_INTERVALS} at least")
    return [*found], np.stack([*found.values()])


def _round_times(costs: SegmentCosts, places: Sequence[int], step: float, price: float) -> list[float]:
    """Return the times of changes in seconds, each as round as is possible at next to no cost."""
    places, times = list(places), [0.0]
    for number in range(1, len(places) - 1):
        before, here, after = places[number - 1 : number + 2]
        time = round(here * step, 3)
        least = float(cost_of_change(costs, before, here, after))
        for unit in time_units((after - before) * step, step):
            place = round(round(time / unit) * unit / step)
            if before < place < after and cost_of_change(costs, before, place, after) <= least + ROUNDING * price:
                places[number], time = place, round(round(time / unit) * unit, 3)
                break
        times.append(time)
    return [*times, round(places[-1] * step, 3)]


def _levels(costs: SegmentCosts, number: int, places: Sequence[int]) -> Iterator[Level]:
    """Yield the level of a series in each phase; where nothing is known, it stays as it was."""
    level = Level(0.0, 0.0)
    for first, last in pairwise(places):
        level = Level(*costs.ends(number, first, last) or (level.last, level.last))
        yield level


def _possible(first: float, last: float) -> Level:
    """Return a line that does not go below 0, with the same mean."""
    mean = max(0.0, (first + last) / 2)
    if min(first, last) >= 0:
        return Level(first, last)
    return Level(0.0, 2 * mean) if first < last else Level(2 * mean, 0.0)


def _written(times: Sequence[float], levels: Mapping[str, Sequence[Level]]) -> Fit:
    """Return phases with the amounts that a person would write."""
    idle = min((min(level) for level in levels.get(MEMORY, ())), default=0.0)
    phases = []
    for number, (start, end) in enumerate(pairwise(times)):
        amounts = {
            name: Level(*(_rounded(name, value - (idle if name == MEMORY else 0.0)) for value in each[number]))
            for name, each in levels.items()
        }
        phases.append(Phase(start, round(end - start, 3), amounts))
    return Fit(tuple(phases), idle)


def _rounded(name: str, value: float) -> float:
    unit = RESOURCES[name].unit
    if value < LEAST_AMOUNTS[unit]:
        return 0.0
    return min(rounded_amount(value), 1.0) if unit == "share" else rounded_amount(value)
