"""Verdicts for which a test is repeated: on its slowdown under a load, and on percentiles of its duration."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from pytest_twin.analysis.budgets.budget import OK, OVER, UNKNOWN, LimitVerdict, Percentiles, Slowdown, format_seconds
from pytest_twin.analysis.stats.quantiles import quantile_interval
from pytest_twin.analysis.stats.signed_rank import CONFIDENCE, Interval, ratio_interval
from pytest_twin.loads.spec import LoadPart
from pytest_twin.model.quantity import format_share
from pytest_twin.stressors.spec.starvation import starved

HELD_S = "held_s"  # the figure with the seconds for which a load was applied
_RELATIONS = {
    OK: "is within the limit of",
    OVER: "exceeds the limit of",
    UNKNOWN: "is inconclusive for the limit of",
}
STARVED_AFTER_S = 1.0  # in all runs together: by then a shortfall is not chance


class Repetition(NamedTuple):
    """One run of the body of a test.

    Attributes:
        wall_s: Its wall time in seconds.
        cpu_s: CPU seconds of the test process and its children; None where they are unknown.
        achieved: The achieved amount of each part of the load around it.
        trouble: Why that was less than requested; empty if it was not.
        figures: The figures of each part, with `HELD_S`.
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
    """Yield the order of the runs of a test: whether each is under load, pair by pair, each pair in a random order.

    Args:
        pairs: The number of pairs of a run without and a run with the load.
        repeats: The least number of runs without the load, in pairs or alone between them.
        seed: The same seed gives the same order.
    """
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    units = [*[(False, True)] * pairs, *[(False,)] * max(0, repeats - pairs)]
    draw.shuffle(units)
    for unit in units:
        yield unit[::-1] if draw.random() < 0.5 else unit


def slowdown(asked: Slowdown, pairs: Sequence[RunPair]) -> LimitVerdict:
    """Return the verdict on a slowdown: over if the whole interval is above the limit, ok if it is below.

    A load that achieved less than requested slows a test less, so then the verdict is never ok.

    Raises:
        TooFewError: There are too few pairs.
    """
    idle, stressed = ([each.wall_s for each in runs] for runs in zip(*pairs, strict=True))
    interval = ratio_interval(stressed, idle)
    short = _short(asked.under.parts, [pair.stressed for pair in pairs])
    verdict = _verdict(interval, asked.limit, is_sure=not short)
    achieved = zip(*(pair.stressed.achieved for pair in pairs), strict=True)
    under = ", ".join(
        f"{part} (achieved {format_range(all_of)})" for part, all_of in zip(asked.under.parts, achieved, strict=True)
    )
    text = (
        f"{len(pairs)} pairs, median {format_seconds(middle(idle))} idle and {format_seconds(middle(stressed))} under "
        f"{under}"
    )
    if short:
        text += f"; {short}"
    elif verdict == UNKNOWN:
        text += f"; more pairs than {asked.pairs} give a narrower interval"
    limit = f"{asked.limit:.4g}"
    sentence = f"slowdown {_format_interval(interval, '{:.3g}'.format)} {_RELATIONS[verdict]} {limit}; {text}"
    return _finding("slowdown", verdict, f"{interval.middle:.3g}", limit, sentence)


def _short(parts: Sequence[LoadPart], runs: Sequence[Repetition]) -> str:
    """Return why the load achieved less than requested; empty if it did not.

    One run may be too short to judge that, and all runs together long enough.
    """
    if troubles := [run.trouble for run in runs if run.trouble]:
        return f"in {len(troubles)} of them the load achieved less than requested: {troubles[0]}"
    for part, of_runs in zip(parts, zip(*(run.figures for run in runs), strict=True), strict=False):
        total = _summed(of_runs)
        if total.get(HELD_S, 0.0) >= STARVED_AFTER_S and (trouble := starved(total)):
            return f"in all of them together the load achieved less than requested: {part}: {trouble}"
    return ""


def _summed(figures: Iterable[Mapping[str, Any]]) -> dict[str, float]:
    total: dict[str, float] = {}
    for each in figures:
        for name, value in each.items():
            if isinstance(value, int | float):
                total[name] = total.get(name, 0.0) + value
    return total


def percentiles(asked: Percentiles, seconds: Sequence[float]) -> Iterator[LimitVerdict]:
    """Yield the verdict on each percentile.

    Raises:
        TooFewError: There are too few measurements.
    """
    for share, limit in asked.most.items():
        interval = quantile_interval(seconds, share)
        verdict = _verdict(interval, limit.value)
        name = f"p{100 * share:.0f}"
        text = (
            f"{name} {_format_interval(interval, format_seconds)} {_RELATIONS[verdict]} {format_seconds(limit.value)}; "
            f"{len(seconds)} repetitions"
        )
        if verdict == UNKNOWN:
            text += f"; more repetitions than {asked.repeats} give a narrower interval"
        yield _finding(name, verdict, f"{interval.middle:.3g} s", f"{limit.value:.4g} s", text)


def _verdict(interval: Interval, limit: float, *, is_sure: bool = True) -> str:
    if interval.low > limit:
        return OVER
    return OK if interval.high <= limit and is_sure else UNKNOWN


def _finding(name: str, verdict: str, measured: str, limit: str, text: str) -> LimitVerdict:
    sign = {OK: "<=", OVER: ">", UNKNOWN: "?"}[verdict]
    return LimitVerdict(name, verdict, f"{name} {measured} {sign} {limit}", text)


def _format_interval(interval: Interval, formatted: Callable[[float], str]) -> str:
    low, value, high = map(formatted, interval)
    return f"{value} ({low} to {high} with {format_share(CONFIDENCE)} confidence)"


def middle(values: Iterable[float]) -> float:
    """Return the middle value, or the lower of the two in the middle."""
    ordered = sorted(values)
    return ordered[(len(ordered) - 1) // 2]


def format_range(answers: Sequence[str]) -> str:
    """Return the achieved amount of a load in all repetitions: the median, and the range where they differ."""
    ordered = sorted((each or "nothing" for each in answers), key=_number)
    said, least, most = ordered[(len(ordered) - 1) // 2], ordered[0], ordered[-1]
    return said if least == most else f"{said}, from {least} to {most}"


def _number(said: str) -> float:
    number = re.match(r"\d+(\.\d+)?", said)
    return float(number[0]) if number else -1.0
