"""Verdicts that one run of a test is not enough for: how much slower a load makes it, how long it takes most times."""

from __future__ import annotations

import random
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pytest_twin.analysis.budgets.budget import OK, OVER, UNKNOWN, LimitVerdict, Percentiles, Slowdown
from pytest_twin.analysis.stats.quantiles import quantile_interval
from pytest_twin.analysis.stats.signed_rank import CONFIDENCE, Interval, ratio_interval
from pytest_twin.loads.spec import LoadPart
from pytest_twin.stressors.spec.starvation import starved

HELD_S = "held_s"  # the figure that says how long a load was there
STARVED_AFTER_S = 1.0  # of all runs together: what one of them can be short of by chance is little then


class Repetition(NamedTuple):
    """One run of the body of a test.

    Attributes:
        wall_s: How long it took.
        cpu_s: CPU seconds of the test process and its children; None where that is not told.
        achieved: What there was of each part of the load that it was put under.
        trouble: Why that was less than asked; empty if it was not.
        figures: The figures of each part, `HELD_S` among them.
    """

    wall_s: float
    cpu_s: float | None = None
    achieved: tuple[str, ...] = ()
    trouble: str = ""
    figures: tuple[Mapping[str, Any], ...] = ()


class RunPair(NamedTuple):
    """Two runs one after the other, in either order."""

    idle: Repetition
    stressed: Repetition


def randomized_order(pairs: int, repeats: int, seed: int) -> Iterator[tuple[bool, ...]]:
    """In which order a test is run: whether under load, pair by pair, each pair in a random order.

    Args:
        pairs: How many pairs there are, one of each with the load.
        repeats: How many runs without the load there are at least, in pairs or alone between them.
        seed: The same one draws the same order.
    """
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    units = [*[(False, True)] * pairs, *[(False,)] * max(0, repeats - pairs)]
    draw.shuffle(units)
    for unit in units:
        yield unit[::-1] if draw.random() < 0.5 else unit


def slowdown(asked: Slowdown, pairs: Sequence[RunPair]) -> LimitVerdict:
    """The verdict on a slowdown: over where all of the interval is above the limit, and right where it is below.

    A load that was less than asked slows a test less, so then it cannot be said that all is right.

    Raises:
        TooFewError: There are too few pairs.
    """
    idle, stressed = ([each.wall_s for each in runs] for runs in zip(*pairs, strict=True))
    interval = ratio_interval(stressed, idle)
    short = _short(asked.under.parts, [pair.stressed for pair in pairs])
    verdict = _verdict(interval, asked.limit, is_sure=not short)
    achieved = zip(*(pair.stressed.achieved for pair in pairs), strict=True)
    had = ", ".join(
        f"{part} (achieved {said_range(all_of)})" for part, all_of in zip(asked.under.parts, achieved, strict=True)
    )
    text = (
        f"{_said(interval, '')}, allowed is {asked.limit:.4g}; {len(pairs)} pairs, medians "
        f"{middle(idle):.3g} s idle and {middle(stressed):.3g} s under {had}"
    )
    if short:
        text += f"; {short}"
    elif verdict == UNKNOWN:
        text += f"; more than pairs={asked.pairs} tell more"
    return _finding("slowdown", verdict, f"{interval.middle:.3g}", f"{asked.limit:.4g}", text)


def _short(parts: Sequence[LoadPart], runs: Sequence[Repetition]) -> str:
    """How the load was less than asked; empty if it was not.

    In one run it may be there too shortly to tell, and in all of them together long enough.
    """
    if troubles := [run.trouble for run in runs if run.trouble]:
        return f"in {len(troubles)} of them the load was less than asked: {troubles[0]}"
    for part, of_runs in zip(parts, zip(*(run.figures for run in runs), strict=True), strict=False):
        total = _summed(of_runs)
        if total.get(HELD_S, 0.0) >= STARVED_AFTER_S and (trouble := starved(total)):
            return f"in all of them together the load was less than asked: {part}: {trouble}"
    return ""


def _summed(figures: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for each in figures:
        for name, value in each.items():
            if isinstance(value, int | float):
                total[name] = total.get(name, 0.0) + value
    return total


def percentiles(asked: Percentiles, seconds: Sequence[float]) -> Iterator[LimitVerdict]:
    """The verdict on each percentile.

    Raises:
        TooFewError: There are too few measurements.
    """
    for share, limit in asked.most.items():
        interval = quantile_interval(seconds, share)
        verdict = _verdict(interval, limit.value)
        text = f"{_said(interval, ' s')}, allowed are {limit.value:.4g} s; {len(seconds)} repetitions"
        if verdict == UNKNOWN:
            text += f"; more than repeats={asked.repeats} tell more"
        yield _finding(f"p{100 * share:.0f}", verdict, f"{interval.middle:.3g} s", f"{limit.value:.4g} s", text)


def _verdict(interval: Interval, limit: float, *, is_sure: bool = True) -> str:
    if interval.low > limit:
        return OVER
    return OK if interval.high <= limit and is_sure else UNKNOWN


def _finding(name: str, verdict: str, measured: str, limit: str, text: str) -> LimitVerdict:
    sign = {OK: "<=", OVER: ">", UNKNOWN: "?"}[verdict]
    word = "inconclusive: " if verdict == UNKNOWN else ""
    return LimitVerdict(name, verdict, f"{name} {measured} {sign} {limit}", f"{name}: {word}{text}")


def _said(interval: Interval, unit: str) -> str:
    low, value, high = (f"{each:.3g}{unit}" for each in interval)
    return f"{value} ({low} to {high} with {CONFIDENCE:.0%} confidence)"


def middle(values: Iterable[float]) -> float:
    """The one in the middle, or the lower of two."""
    ordered = sorted(values)
    return ordered[(len(ordered) - 1) // 2]


def said_range(answers: Sequence[str]) -> str:
    """What there was of a load over all repetitions: the middle one, and the least and the most where they differ."""
    ordered = sorted((each or "nothing" for each in answers), key=_number)
    said, least, most = ordered[(len(ordered) - 1) // 2], ordered[0], ordered[-1]
    return said if least == most else f"{said}, from {least} to {most}"


def _number(said: str) -> float:
    number = re.match(r"\d+(\.\d+)?", said)
    return float(number[0]) if number else -1.0
