"""Judge whether measurements changed, and whether they break a limit.

With enough measurements, a difference is called ``more`` or ``less`` if chance, and the usual variation of machines, is
an unlikely reason for it, corrected for the number of comparisons. With too few, it is only ``possibly`` so, by its
ratio. A difference below the floor of its measure is never reported; where its ratio is large, or over a limit, it is
``too small to judge``.
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
TOO_SMALL = "too small to judge"
PERHAPS_MORE, PERHAPS_LESS = "possibly more", "possibly less"
WORTH_TELLING = 1.25  # the least ratio at which a difference between single runs is reported
NEGLIGIBLE = 0.01  # of the floor of a measure: figures that differ by less are equal
MARGIN = 0.03  # share that may be variation of the machine, beside the common factor


@dataclass(frozen=True)
class Difference:
    """One measure of one test, or of all tests together.

    Attributes:
        test: Its id; empty for all tests together.
        measure: The measure.
        before: The median of the measurements before.
        after: The same after.
        adjusted: The ratio without the common factor of all tests; verdicts use this one.
        low: Lower border of its confidence interval; None with too few measurements.
        high: Upper border.
        counts: The numbers of measurements before and after.
        chance: The p-value of the difference, corrected; None with too few measurements.
        verdict: `SAME`, `MORE`, `LESS`, or with too few measurements `PERHAPS_MORE`, `PERHAPS_LESS`; `TOO_SMALL` where
            the ratio would tell a change, but the difference is below the floor.
        broken: The limits that it breaks: significantly if there are enough measurements. Its verdict is neither `SAME`
            nor `TOO_SMALL` then.
        unjudged: The limits that it is over by less than can be measured.
        common: The common factor of all tests, which `adjusted` excludes.
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
    unjudged: tuple[ChangeLimit, ...] = ()
    common: float = 1.0

    @property
    def ratio(self) -> float:
        """The measured ratio of after to before."""
        return ratio_of(self.before, self.after)

    @property
    def is_sure(self) -> bool:
        """Whether there are enough measurements for a statistical test."""
        return self.low is not None

    @property
    def is_above_floor(self) -> bool:
        """Whether the difference is large enough to be reported, without the common factor of all tests."""
        is_one_way = (self.after > self.before) == (self.adjusted > 1)
        return is_one_way and not self.is_below_floor

    @property
    def is_below_floor(self) -> bool:
        """Whether the difference is smaller than what can be measured."""
        return abs(self.after - self.before) < self.measure.floor

    @property
    def is_large(self) -> bool:
        """Whether the ratio would be reported of single runs; that of two figures near 0 says nothing."""
        if abs(self.after - self.before) < NEGLIGIBLE * self.measure.floor:
            return False
        return not 1 / WORTH_TELLING < self.adjusted < WORTH_TELLING

    @property
    def is_changed(self) -> bool:
        """Whether the verdict is that of a change."""
        return self.verdict not in {SAME, TOO_SMALL}

    @property
    def is_candidate(self) -> bool:
        """Whether it could be reported at all, in either direction."""
        return max(self.before, self.after) >= self.measure.floor


def judge(found: Sequence[MeasurementGrid], limits: Sequence[ChangeLimit], confidence: float) -> list[Difference]:
    """Return the verdict on each measurement, in the order given.

    Args:
        found: The measurements.
        limits: The most by which measures may grow.
        confidence: 1 minus the share of false positives among the changes and broken limits that are reported.
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
    """Return the ratio of two figures; 1 if both are 0."""
    return after / before if before else math.inf if after else 1.0


def _add_verdicts(
    found: Sequence[MeasurementGrid], differences: Sequence[Difference], allowed: float
) -> list[Difference]:
    """Return the differences with their verdicts."""
    at = [number for number, each in enumerate(differences) if each.is_sure and each.is_candidate]
    called = [replace(each, verdict=_unless_measurable(each) if each.is_sure else _guess(each)) for each in differences]
    chances = adjust_p_values([_chance(found[number]) for number in at])
    for number, chance in zip(at, chances, strict=True):
        each = differences[number]
        is_change = chance <= allowed and each.is_above_floor
        verdict = (MORE if each.adjusted > 1 else LESS) if is_change else called[number].verdict
        called[number] = replace(each, chance=chance, verdict=verdict)
    return called


def _unless_measurable(each: Difference) -> str:
    """Return the verdict on what is called neither more nor less."""
    return TOO_SMALL if each.is_large and each.is_below_floor else SAME


def _chance(each: MeasurementGrid) -> float:
    """Return the p-value of the difference being beyond the margin, in its direction."""
    was, now = each.own
    more = one_sided_p_value(now, [(1 + MARGIN) * value for value in was])
    less = one_sided_p_value(was, [(1 + MARGIN) * value for value in now])
    return min(1.0, 2 * min(more, less))


def _guess(each: Difference) -> str:
    if not each.is_above_floor or not each.is_large:
        return _unless_measurable(each)
    return PERHAPS_MORE if each.adjusted > 1 else PERHAPS_LESS


def _apply_limit(
    found: Sequence[MeasurementGrid], differences: Sequence[Difference], limit: ChangeLimit, allowed: float
) -> list[Difference]:
    """Add this limit to the differences that break it: significantly, or without enough measurements by the ratio."""
    ours = [number for number, each in enumerate(differences) if each.measure.name == limit.measure.name]
    sure = [number for number in ours if differences[number].is_sure and differences[number].is_candidate]
    chances = dict(zip(sure, adjust_p_values([_chance_beyond(found[number], limit) for number in sure]), strict=True))
    limited = list(differences)
    for number in ours:
        each = differences[number]
        was, now = (float(np.median(side)) for side in found[number].own)
        is_beyond = now > limit.bound(was)
        if is_beyond and each.is_below_floor:
            limited[number] = replace(each, unjudged=(*each.unjudged, limit), verdict=TOO_SMALL)
            continue
        if number in chances:
            is_beyond = chances[number] <= allowed / 2
        if is_beyond and each.is_above_floor and each.after > each.before:
            verdict = MORE if each.is_sure else PERHAPS_MORE  # whatever it was called before there was a limit
            limited[number] = replace(each, broken=(*each.broken, limit), verdict=verdict)
    return limited


def _chance_beyond(each: MeasurementGrid, limit: ChangeLimit) -> float:
    was, now = each.own
    return one_sided_p_value(now, [limit.bound(value) for value in was])
