"""Schedules drawn at random, the same for the same seed."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from pytest_twin.loads.parser import read_amount
from pytest_twin.loads.spec import Kinds
from pytest_twin.model.error_text import unknown
from pytest_twin.model.quantity import said_duration

INTENSITIES: Mapping[str, Sequence[str]] = {
    "cpu": ("25%", "50%", "75%", "100%"),
    "mem": ("10%", "25%", "40%"),
    "disk": ("10MB/s", "50MB/s", "100MB/s"),
}


@dataclass(frozen=True)
class GeneratorOptions:
    """What a drawn schedule should be like; times in seconds.

    Attributes:
        length: The time in which the events lie.
        events: How many.
        seed: The same seed draws the same.
        shortest: The shortest duration.
        longest: The longest duration.
        overlap: Whether events may overlap.
        weights: How often each kind comes, 1 where nothing is said.
        intensities: Amounts to draw from, by kind; there are usual ones.
    """

    length: float
    events: int
    seed: int
    shortest: float
    longest: float
    overlap: bool = True
    weights: Mapping[str, float] = field(default_factory=dict)
    intensities: Mapping[str, Sequence[str]] = field(default_factory=dict)


def generate(wishes: GeneratorOptions, kinds: Kinds) -> dict[str, Any]:
    """A schedule's document.

    Durations are drawn evenly over their logarithm, so that short ones are as usual as long ones, and are cut to what
    the time allows; without overlap they are shrunk together until all fit.

    Raises:
        ValueError: The wishes cannot be fulfilled; the message says which.
    """
    amounts = {**{name: INTENSITIES[name] for name in kinds if name in INTENSITIES}, **wishes.intensities}
    _check(wishes, kinds, amounts)
    chance = random.Random(wishes.seed)  # noqa: S311 - it should be repeatable, not secret
    names = list(amounts)
    weights = [wishes.weights.get(name, 1.0) for name in names]
    longest = min(wishes.longest, wishes.length)
    lasts = [_between(chance, min(wishes.shortest, longest), longest) for _ in range(wishes.events)]
    if wishes.overlap:
        starts = sorted(chance.uniform(0, wishes.length - duration) for duration in lasts)
    else:
        shrink = min(1.0, 0.9 * wishes.length / (sum(lasts) or 1.0))
        lasts = [math.floor(duration * shrink * 10) / 10 for duration in lasts]
        if not all(lasts):
            raise ValueError("--events: so many do not fit without overlap; give fewer, or allow --overlap")
        gaps = sorted(chance.uniform(0, wishes.length - sum(lasts)) for _ in lasts)
        starts = [gap + before for gap, before in zip(gaps, accumulate(lasts, initial=0.0), strict=False)]
    events = []
    for start, duration in zip(starts, lasts, strict=True):
        name = chance.choices(names, weights)[0]
        begin = round(start, 1)
        lasting = round(min(duration, wishes.length - begin), 1)
        events.append(
            {"start": said_duration(begin), "duration": said_duration(lasting), name: chance.choice(amounts[name])}
        )
    return {"version": 1, "anchor": "session", "mode": "parallel", "seed": wishes.seed, "events": events}


def _between(chance: random.Random, shortest: float, longest: float) -> float:
    if shortest <= 0:
        return round(chance.uniform(shortest, longest), 1)
    return round(math.exp(chance.uniform(math.log(shortest), math.log(longest))), 1)


def _check(wishes: GeneratorOptions, kinds: Kinds, amounts: Mapping[str, Sequence[str]]) -> None:
    for name in (*wishes.weights, *wishes.intensities):
        if name not in kinds:
            raise ValueError(unknown(name, kinds, "kind"))
    for name, given in amounts.items():
        if not given:
            raise ValueError(f"--intensity {name}: has no amounts; give {kinds[name].amounts}")
        for amount in given:
            try:
                read_amount(kinds[name], amount)
            except ValueError as error:
                raise ValueError(f"--intensity {name}: {error}") from None
    weights = [wishes.weights.get(name, 1.0) for name in amounts]
    if not all(weight >= 0 for weight in weights) or not 0 < sum(weights) < math.inf:
        raise ValueError("--weight: give numbers from 0 up, not all of them 0")
    if wishes.shortest > wishes.longest:
        raise ValueError("--shortest is longer than --longest")
