"""Whether measurements are more or less than they were, and whether they break a limit.

With enough of them a difference is called ``more`` or ``less`` when chance, and what machines make of the same tests
from one hour to the next, is an unlikely reason for it, corrected for the number of all that were looked at. With too
few, it is only ``perhaps`` so, by its ratio. What is below the floor of its measure is never called anything.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from pytest_twin.analysis.comparison.measurements import MeasurementGrid
from pytest_twin.analysis.stats.rank_sum import adjust_p_values, is_enough, one_sided_p_value, ratio_between
from pytest_twin.model.measure import ChangeLimit, Measure

SAME, MORE, LESS = "same", "more", "less"
PERHAPS_MORE, PERHAPS_LESS = "possibly more", "possibly less"
WORTH_TELLING = 1.25  # the ratio from which on a difference between single runs is told
MARGIN = 0.03  # what may be the machine, beside what it makes of all tests alike


@dataclass(frozen=True)
class Difference:
    """One measure of one test, or of all tests together.

    Attributes:
        test: Its id; empty for all tests together.
        measure: What of.
        before: The median of the measurements before.
        after: The same after.
        adjusted: How many times as much it is after, without what all tests have in common; verdicts go by this.
        low: The lower border of that; None where there are too few measurements.
        high: The upper one.
        counts: How many measurements there were, before and after.
        chance: How likely chance alone makes such a difference, corrected; None as above.
        verdict: `SAME`, `MORE`, `LESS`, or with too few measurements `PERHAPS_MORE`, `PERHAPS_LESS`.
        broken: The limits that it breaks: surely, if there are enough measurements. What breaks one is never the same.
        common: How many times as much all tests alike take after, which `adjusted` is without.
    """

    test: str
    measure: Measure
    before: float
    after: float
    adjusted: float
    low: float | None
    high: float | None
    counts: tuple[int, int]
    chance: float | None = None
    verdict: str = SAME
    broken: tuple[ChangeLimit, ...] = ()
    common: float = 1.0

    @property
    def ratio(self) -> float:
        """How many times as much it is after, as it was measured."""
        return ratio_of(self.before, self.after)

    @property
    def is_sure(self) -> bool:
        """Whether there are enough measurements for more than a guess."""
        return self.low is not None

    @property
    def is_above_floor(self) -> bool:
        """Whether the difference is large enough to be called anything, and not one of all other tests."""
        is_one_way = (self.after > self.before) == (self.adjusted > 1)
        return is_one_way and abs(self.after - self.before) >= self.measure.floor

    @property
    def is_candidate(self) -> bool:
        """Whether it could be called something at all, whichever of the two sides is which."""
        return max(self.before, self.after) >= self.measure.floor


def judge(found: Sequence[MeasurementGrid], limits: Sequence[ChangeLimit], confidence: float) -> list[Difference]:
    """What is more and what is less, in the order in which it was found.

    Args:
        found: The measurements.
        limits: How much more is too much.
        confidence: One less the share of false ones among those that are called more or less, or break a limit.
    """
    differences = [_difference(each, confidence) for each in found]
    differences = _add_verdicts(found, differences, 1 - confidence)
    for limit in limits:
        differences = _apply_limit(found, differences, limit, 1 - confidence)
    return differences


def _difference(each: MeasurementGrid, confidence: float) -> Difference:
    before, after = float(np.median(each.before)), float(np.median(each.after))
    counts = len(each.before), len(each.after)
    was, now = each.own
    if is_enough(*counts, confidence=confidence):
        low, adjusted, high = ratio_between(now, was, confidence=confidence)
        return Difference(each.test, each.measure, before, after, adjusted, low, high, counts, common=each.common)
    adjusted = ratio_of(float(np.median(was)), float(np.median(now)))
    return Difference(each.test, each.measure, before, after, adjusted, None, None, counts, common=each.common)


def ratio_of(before: float, after: float) -> float:
    """How many times as much it is; nothing to nothing is a ratio of 1."""
    return after / before if before else math.inf if after else 1.0


def _add_verdicts(
    found: Sequence[MeasurementGrid], differences: Sequence[Difference], allowed: float
) -> list[Difference]:
    """Each with its verdict."""
    at = [number for number, each in enumerate(differences) if each.is_sure and each.is_candidate]
    called = [each if each.is_sure else replace(each, verdict=_guess(each)) for each in differences]
    chances = adjust_p_values([_chance(found[number]) for number in at])
    for number, chance in zip(at, chances, strict=True):
        each = differences[number]
        verdict = SAME if chance > allowed or not each.is_above_floor else MORE if each.adjusted > 1 else LESS
        called[number] = replace(each, chance=chance, verdict=verdict)
    return called


def _chance(each: MeasurementGrid) -> float:
    """How likely chance alone brings these as far beyond the margin as they are, upwards or downwards."""
    was, now = each.own
    more = one_sided_p_value(now, [(1 + MARGIN) * value for value in was])
    less = one_sided_p_value(was, [(1 + MARGIN) * value for value in now])
    return min(1.0, 2 * min(more, less))


def _guess(each: Difference) -> str:
    if not each.is_above_floor or 1 / WORTH_TELLING < each.adjusted < WORTH_TELLING:
        return SAME
    return PERHAPS_MORE if each.adjusted > 1 else PERHAPS_LESS


def _apply_limit(
    found: Sequence[MeasurementGrid], differences: Sequence[Difference], limit: ChangeLimit, allowed: float
) -> list[Difference]:
    """Each with this limit, if it breaks it: surely, or where nothing is sure, by its ratio."""
    ours = [
        number
        for number, each in enumerate(differences)
        if each.measure.name == limit.measure.name and each.is_candidate
    ]
    sure = [number for number in ours if differences[number].is_sure]
    chances = dict(zip(sure, adjust_p_values([_chance_beyond(found[number], limit) for number in sure]), strict=True))
    limited = list(differences)
    for number in ours:
        each = differences[number]
        was, now = (float(np.median(side)) for side in found[number].own)
        is_beyond = chances[number] <= allowed / 2 if number in chances else now > limit.bound(was)
        if is_beyond and each.is_above_floor and each.after > each.before:
            verdict = MORE if each.is_sure else PERHAPS_MORE  # whatever it was called before there was a limit
            limited[number] = replace(each, broken=(*each.broken, limit), verdict=verdict)
    return limited


def _chance_beyond(each: MeasurementGrid, limit: ChangeLimit) -> float:
    was, now = each.own
    return one_sided_p_value(now, [limit.bound(value) for value in was])
