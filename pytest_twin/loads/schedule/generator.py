"""Generate a random schedule, the same one for the same seed."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from pytest_twin.loads.parser import parse_amount
from pytest_twin.loads.spec import Kinds
from pytest_twin.model.error_text import unknown
from pytest_twin.model.quantity import format_duration

INTENSITIES: Mapping[str, Sequence[str]] = {
    "cpu": ("25%", "50%", "75%", "100%"),
    "mem": ("10%", "25%", "40%"),
    "disk": ("10MB/s", "50MB/s", "100MB/s"),
}


@dataclass(frozen=True)
class GeneratorOptions:
    """Options of a generated schedule; times in seconds.

    Attributes:
        length: The length of the timeline.
        events: The number of events.
        seed: The seed of all random choices.
        shortest: The shortest duration of an event.
        longest: The longest duration of an event.
        overlap: Whether events may overlap.
        weights: The relative frequency of each kind of load; 1 by default.
        intensities: Amounts to choose from, by kind; the default is `INTENSITIES`.
    """

    length: float
    events: int
    seed: int
    shortest: float
    longest: float
    overlap: bool = True
    weights: Mapping[str, float] = field(default_factory=dict)
    intensities: Mapping[str, Sequence[str]] = field(default_factory=dict)


def generate(options: GeneratorOptions, kinds: Kinds) -> dict[str, Any]:
    """Return the document of a schedule.

    Durations are log-uniform, so that short ones are as frequent as long ones, and at most as long as the timeline;
    without overlap all are shortened by one factor until they fit.

    Raises:
        ValueError: An option is invalid, or the events do not fit; the message names the option.
    """
    amounts = {**{name: INTENSITIES[name] for name in kinds if name in INTENSITIES}, **options.intensities}
    _check(options, kinds, amounts)
    chance = random.Random(options.seed)  # noqa: S311 - it should be repeatable, not secret
    names = list(amounts)
    weights = [options.weights.get(name, 1.0) for name in names]
    longest = min(options.longest, options.length)
    durations = [_between(chance, min(options.shortest, longest), longest) for _ in range(options.events)]
    if options.overlap:
        starts = sorted(chance.uniform(0, options.length - duration) for duration in durations)
    else:
        shrink = min(1.0, 0.9 * options.length / (sum(durations) or 1.0))
        durations = [math.floor(duration * shrink * 10) / 10 for duration in durations]
        if not all(durations):
            raise ValueError("--events: they do not fit without overlap; give fewer, or allow --overlap")
        gaps = sorted(chance.uniform(0, options.length - sum(durations)) for _ in durations)
        starts = [gap + before for gap, before in zip(gaps, accumulate(durations, initial=0.0), strict=False)]
    events = []
    for start, duration in zip(starts, durations, strict=True):
        name = chance.choices(names, weights)[0]
        begin = round(start, 1)
        lasting = round(min(duration, options.length - begin), 1)
        events.append(
            {"start": format_duration(begin), "duration": format_duration(lasting), name: chance.choice(amounts[name])}
        )
    return {"version": 1, "anchor": "session", "mode": "parallel", "seed": options.seed, "events": events}


def _between(chance: random.Random, shortest: float, longest: float) -> float:
    if shortest <= 0:
        return round(chance.uniform(shortest, longest), 1)
    return round(math.exp(chance.uniform(math.log(shortest), math.log(longest))), 1)


def _check(options: GeneratorOptions, kinds: Kinds, amounts: Mapping[str, Sequence[str]]) -> None:
    for name in (*options.weights, *options.intensities):
        if name not in kinds:
            raise ValueError(unknown(name, kinds, "kind"))
    for name, given in amounts.items():
        if not given:
            raise ValueError(f"--intensity {name}: has no amounts; give {kinds[name].amounts}")
        for amount in given:
            try:
                parse_amount(kinds[name], amount)
            except ValueError as error:
                raise ValueError(f"--intensity {name}: {error}") from None
    weights = [options.weights.get(name, 1.0) for name in amounts]
    if not all(weight >= 0 for weight in weights) or not 0 < sum(weights) < math.inf:
        raise ValueError("--weight: give numbers from 0 up, not all of them 0")
    if options.shortest > options.longest:
        raise ValueError("--shortest is longer than --longest")
