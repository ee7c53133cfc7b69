"""Compare resource usage between runs, test by test and in total, and report statistical confidence."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_twin.analysis.comparison.changes import Changes, changes, machines
from pytest_twin.analysis.comparison.machine_scaling import scale_cpu_seconds, speed_notes
from pytest_twin.analysis.comparison.measurements import (
    WHOLE,
    MeasurementSet,
    concatenate_runs,
    is_known,
    measurements,
    reported_attempts,
    runs_with,
)
from pytest_twin.analysis.comparison.same_load import ComparableRows, comparable_rows
from pytest_twin.analysis.comparison.side import Side
from pytest_twin.analysis.comparison.verdicts import MARGIN, Difference, judge
from pytest_twin.analysis.run.by_host import add_host_to_ids, display_name, hosts_of
from pytest_twin.analysis.stats.rank_sum import smallest_p_value
from pytest_twin.analysis.stats.signed_rank import CONFIDENCE
from pytest_twin.model.measure import ABSOLUTE_PEAK, MEASURES, ChangeLimit, Measure

if TYPE_CHECKING:
    import pandas as pd


class IncomparableError(ValueError):
    """The runs cannot be compared; the message, one line, is for the user."""


@dataclass(frozen=True)
class Comparison:
    """The result of a comparison.

    Attributes:
        names: The names of the two sides.
        runs: The number of runs of each side.
        machines: The differences between their machines.
        changes: The differences other than figures.
        differences: Each measure of all tests together, and of each test.
        notes: Remarks on the verdicts, one sentence each.
        limits: The limits that were applied.
    """

    names: tuple[str, str]
    runs: tuple[int, int]
    machines: Sequence[str]
    changes: Changes
    differences: Sequence[Difference]
    notes: Sequence[str]
    limits: Sequence[ChangeLimit] = ()

    @property
    def broken(self) -> list[Difference]:
        """The differences that break a limit."""
        return [each for each in self.differences if each.broken]

    @property
    def changed(self) -> list[Difference]:
        """The tests that changed, the most severe first."""
        found = [each for each in self.differences if each.test != WHOLE and each.is_changed]
        return sorted(found, key=_severity)

    @property
    def whole(self) -> list[Difference]:
        """The differences of all tests together."""
        return [each for each in self.differences if each.test == WHOLE]


def compare(
    before: Side,
    after: Side,
    limits: Sequence[ChangeLimit] = (),
    *,
    scale_by_speed: bool = False,
    confidence: float = CONFIDENCE,
) -> Comparison:
    """Compare two groups of runs.

    Args:
        before: The side to compare with.
        after: The side to judge.
        limits: The most by which measures may grow.
        scale_by_speed: Scale CPU seconds to the speed of the first machine before.
        confidence: 1 minus the share of false positives among the changes that are reported.

    Raises:
        IncomparableError: No test passed in both.
        UnknownSpeedError: They are to be scaled, and the speed of a machine is not known.
    """
    if scale_by_speed:
        before, after = scale_cpu_seconds(before, after)
    whole = concatenate_runs(before.runs), concatenate_runs(after.runs)
    was, now = map(reported_attempts, add_host_to_ids(whole))
    pairs = comparable_rows(was, now)
    changed = changes(was, now, pairs.apart)
    measured = {
        measure: measurements(pairs.before, pairs.after, measure)
        for measure in _measures(pairs.before, pairs.after, limits)
    }
    found = [each for one in measured.values() for each in one.each]
    if not found:
        how = " under the same load" if pairs.apart else ""
        raise IncomparableError(
            f"no test passed{how} both in {before.name} and in {after.name}: nothing can be compared"
        )
    differences = judge(found, limits, confidence)
    return Comparison(
        names=(before.name, after.name),
        runs=(len(before.runs), len(after.runs)),
        machines=_machines((before, after), [hosts_of(side) for side in whole]),
        changes=changed,
        differences=differences,
        notes=[
            *before.problems, *after.problems, *_leave_out_unknown((before, after), pairs, measured),
            *speed_notes(before, after, is_scaled=scale_by_speed), *_common_changes(measured),
            *_notes(differences, 1 - confidence),
        ],
        limits=limits,
    )  # fmt: skip


def _measures(before: pd.DataFrame, after: pd.DataFrame, limits: Sequence[ChangeLimit]) -> Iterator[Measure]:
    """Yield the measures to compare; the absolute peak if a run does not have the memory growth of tests."""
    asked = {limit.measure.name for limit in limits}
    for measure in MEASURES.values():
        if measure.is_usual or measure.name in asked:
            is_untold = measure.name == ABSOLUTE_PEAK.name and not _is_known(measure, before, after)
            yield ABSOLUTE_PEAK if is_untold and _is_known(ABSOLUTE_PEAK, before, after) else measure


def _is_known(measure: Measure, *sides: pd.DataFrame) -> bool:
    return all(is_known(side, column) for side in sides for column in measure.columns)


def _leave_out_unknown(
    sides: Sequence[Side], pairs: ComparableRows, measured: Mapping[Measure, MeasurementSet]
) -> Iterator[str]:
    """Yield a note for each measure that older runs lack, and say what replaces it."""
    growth = MEASURES[ABSOLUTE_PEAK.name]
    if ABSOLUTE_PEAK in measured:
        yield (
            f"{growth}: the memory growth of tests is not known on both sides, so absolute peaks are compared, which "
            "include memory that earlier tests kept; record both with this version"
        )
    for side, tests in zip(sides, (pairs.before, pairs.after), strict=True):
        if growth in measured and measured[growth].each:
            runs, known = tests["run"].nunique(), len(runs_with(tests, growth.columns))
            if known < runs:
                yield f"{growth.name}: {runs - known} of {runs} runs of {side.name} lack this measure and are left out"


def _machines(sides: Sequence[Side], hosts: Sequence[Sequence[str]]) -> list[str]:
    """Return the differences between the machines that ran tests; with several hosts, those of the same name."""
    was, now = hosts
    if len(was) == len(now) == 1:
        return machines(*(side.of_host(host) for side, (host,) in zip(sides, hosts, strict=True)))
    others = (
        [f"hosts {' and '.join(map(display_name, was))} -> {' and '.join(map(display_name, now))}"]
        if was != now
        else []
    )
    both = [host for host in was if host in now]
    found = ((host, each) for host in both for each in machines(*(side.of_host(host) for side in sides)))
    return [*others, *(f"{display_name(host)}: {each}" for host, each in found)]


def _severity(each: Difference) -> tuple[bool, bool, float]:
    """Return a sort key: broken limits first, then growth, then decrease; the largest ratio first."""
    far = math.log(min(max(each.adjusted, 1e-9), 1e9))
    return not each.broken, far < 0, -abs(far)


def _common_changes(measured: Mapping[Measure, MeasurementSet]) -> Iterator[str]:
    """Yield a note for each measure that changed for all tests alike, which is excluded from single tests."""
    for measure, found in measured.items():
        if found.common and abs(math.log(found.common.ratio)) > math.log1p(MARGIN):
            yield (
                f"{measure.name}: all tests alike take {found.common.ratio:.2f} times as much, probably because of the "
                "machine; verdicts and limits of single tests use the adjusted ratio, which excludes this"
            )


def _notes(differences: Sequence[Difference], allowed: float) -> list[str]:
    """Return remarks on the number of repetitions."""
    sure = [each for each in differences if each.chance is not None]
    counts = max((each.counts for each in differences), key=sum)
    notes = []
    if not any(each.is_sure for each in differences):
        notes.append(
            f"too few repetitions for a statistical test ({counts[0]} and {counts[1]}): judged by the ratio alone; "
            "at least four and four are needed, ten and ten are recommended"
        )
    elif sure and (least := smallest_p_value(*counts)) * len(sure) > allowed:
        wanted = next(number for number in range(2, 99) if smallest_p_value(number, number) * len(sure) <= allowed)
        notes.append(
            f"{counts[0]} and {counts[1]} repetitions can show a change only if at least "
            f"{math.ceil(least * len(sure) / allowed)} of {len(sure)} figures changed; "
            f"{wanted} and {wanted} can show a single change"
        )
    return notes
