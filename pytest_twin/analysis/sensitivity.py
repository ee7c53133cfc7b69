"""The sensitivity of a test to loads and to a quota of CPU time.

Each resource has a curve of the slowdown and of the failures of the test, with its knee; the loads are ranked.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pytest_twin.analysis.budgets.repetitions import RunPair, format_range, middle
from pytest_twin.analysis.stats.proportions import Share, fisher_p_value
from pytest_twin.analysis.stats.signed_rank import FEWEST, Interval, ratio_interval, ratio_of_ratios
from pytest_twin.model.profile_row import LEVELS, LOADS

HURTS = 1.1  # a test that is 10 % slower is hurt; less is hardly worth a look, and hard to tell from noise
WAITS = 1.05  # nothing but waiting for memory makes a test need 5 % more CPU time
NARROW = 1.05  # an interval whose borders differ by no more needs no more repetitions
SIGNIFICANT = 0.05  # so unlikely are as many failures by chance, if the test fails as often without load
LEAST_CPU_S = 0.001  # no ratio of less: the clock of a process is not that exact


class ProfileCell(NamedTuple):
    """One level of one resource."""

    resource: str
    level: int


class RunCount(NamedTuple):
    """How often a test ran, and failed.

    Attributes:
        runs: The number of runs.
        failures: The number of runs that failed.
        error: The first line of the error of the first failure; empty without one.
    """

    runs: int = 0
    failures: int = 0
    error: str = ""

    def plus(self, other: RunCount) -> RunCount:
        """Return the sum with later runs."""
        return RunCount(self.runs + other.runs, self.failures + other.failures, self.error or other.error)

    def fails_more_than(self, other: RunCount) -> bool:
        """Return whether the test failed significantly more often than in other runs."""
        if not self.failures:
            return False
        own, others = Share(self.failures, self.runs), Share(other.failures, other.runs)
        return fisher_p_value((own, others)) < SIGNIFICANT


class ProfilePoint(NamedTuple):
    """The measurements of one cell.

    Attributes:
        cell: The cell.
        pairs: The number of measurements.
        idle_s: Median seconds of the body without load; None if it was never measured.
        slowdown: Median ratio; None if it was never measured.
        interval: Confidence interval of the median ratio; None with too few measurements.
        cpu_ratio: The same for CPU seconds; None with too few, or with hardly any CPU time.
        by_cpu_time: The slowdown explained by the additional CPU time alone; None as above.
        achieved: The achieved amount of the load.
        tally: How often the test ran and failed.
        fails: Whether it fails significantly more often than without load.
    """

    cell: ProfileCell
    pairs: int
    idle_s: float | None
    slowdown: float | None
    interval: Interval | None
    cpu_ratio: Interval | None
    by_cpu_time: float | None
    achieved: str
    tally: RunCount = RunCount()
    fails: bool = False


class ResourceCurve(NamedTuple):
    """The slowdown of a test by one resource.

    Attributes:
        resource: The resource.
        points: Its points by level, the mildest first.
        knee: The level from which the slowdown is significant, or the test fails; None if there is none.
        rank: 1 for the largest slowdown; None for no significant one, and for a resource that is no load.
    """

    resource: str
    points: Sequence[ProfilePoint]
    knee: int | None
    rank: int | None


Measured = Mapping[ProfileCell, Sequence[RunPair]]
NOTHING = ProfileCell("", 0)  # no load, against itself: the same for each resource


def cells(resources: Sequence[str] = LOADS) -> list[ProfileCell]:
    """Return all cells of these resources, with no load only once."""
    return [NOTHING, *(ProfileCell(resource, level) for resource in resources for level in LEVELS[resource][1:])]


def rounds(seed: int, resources: Sequence[str] = LOADS) -> Iterator[list[ProfileCell | None]]:
    """Yield orders in which to measure each cell once, and the test without load, which is None, once for all."""
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    while True:
        order: list[ProfileCell | None] = [None, *cells(resources)]
        draw.shuffle(order)
        yield order


def least_known_cell(measured: Measured) -> ProfileCell | None:
    """Return the cell with the widest interval; None if there is no cell, or every interval is narrow.

    Raises:
        TooFewError: A cell has too few measurements for an interval.
    """
    width = {cell: _width(_ratio(pairs)) for cell, pairs in measured.items()}
    cell = max(width, key=width.__getitem__, default=None)
    return cell if cell is not None and width[cell] > math.log(NARROW) else None


def _width(interval: Interval) -> float:
    return math.log(interval.high / interval.low)


def _ratio(pairs: Sequence[RunPair]) -> Interval:
    return ratio_interval([pair.stressed.wall_s for pair in pairs], [pair.idle.wall_s for pair in pairs])


def curves(
    measured: Measured, counts: Mapping[ProfileCell, RunCount] | None = None, resources: Sequence[str] = LOADS
) -> list[ResourceCurve]:
    """Return the curve of each of these resources.

    Args:
        measured: The measurements of each cell.
        counts: How often the test ran and failed in each cell.
        resources: The resources.
    """
    points: dict[str, list[ProfilePoint]] = {}
    for resource in resources:
        for level in LEVELS[resource]:
            cell = ProfileCell(resource, level)
            key = cell if level != LEVELS[resource][0] else NOTHING
            point = _point(cell, measured.get(key, ()), has_load=key is cell)
            count, idle = ((counts or {}).get(each, RunCount()) for each in (key, NOTHING))
            fails = key is cell and count.fails_more_than(idle)
            points.setdefault(resource, []).append(point._replace(tally=count, fails=fails))
    ranks = _ranks({resource: points[resource] for resource in LOADS if resource in points})
    return [ResourceCurve(resource, each, knee(each), ranks.get(resource)) for resource, each in points.items()]


def _point(cell: ProfileCell, pairs: Sequence[RunPair], *, has_load: bool) -> ProfilePoint:
    if not pairs:
        return ProfilePoint(cell, 0, None, None, None, None, None, "")
    interval = _ratio(pairs) if len(pairs) >= FEWEST else None
    slowdown = (
        interval.middle if interval else middle(pair.stressed.wall_s / max(pair.idle.wall_s, 1e-9) for pair in pairs)
    )
    achieved = format_range([pair.stressed.achieved[0] for pair in pairs]) if has_load else ""
    idle_s = middle(pair.idle.wall_s for pair in pairs)
    return ProfilePoint(cell, len(pairs), idle_s, slowdown, interval, *_by_cpu_time(pairs), achieved)


def _by_cpu_time(pairs: Sequence[RunPair]) -> tuple[Interval | None, float | None]:
    """Return the ratio of CPU seconds, and the slowdown that the additional CPU time explains."""
    both = [(pair.stressed.cpu_s or 0.0, pair.idle.cpu_s or 0.0, pair.idle.wall_s) for pair in pairs]
    usable = [each for each in both if min(each[:2]) >= LEAST_CPU_S]
    if len(usable) < FEWEST:
        return None, None
    stressed, idle, wall = zip(*usable, strict=True)
    longer = [took + more - less for more, less, took in usable]
    return ratio_interval(stressed, idle), ratio_interval(longer, wall).middle


def knee(points: Sequence[ProfilePoint]) -> int | None:
    """Return the level from which a test is significantly slower or fails, at all harsher levels too.

    Args:
        points: The points of a resource, the mildest first.

    Returns:
        None if there is no such level.
    """
    found = None
    for point in reversed(points):
        if not point.fails and (point.interval is None or point.interval.low < HURTS):
            break
        found = point.cell.level
    return found


def _ranks(points: Mapping[str, Sequence[ProfilePoint]]) -> dict[str, int]:
    """Return the rank of each load with a significant slowdown, by the slowdown at its highest level.

    One that lets the test fail at this level ranks before those that only slow it down.

    A load on memory bandwidth also burns CPU, and slows a test that waits for a CPU as much as a CPU load does. So only
    the slowdown that additional CPU time explains counts for it: waiting for memory costs CPU time, waiting for a CPU
    does not. Memory ranks before the CPU if that is more than the effect of waiting for a CPU.
    """
    score = {resource: each[-1].slowdown or 0.0 for resource, each in points.items() if knee(each) is not None}
    cpu, memory, _ = LOADS
    failing = [resource for resource in score if points[resource][-1].fails]
    if memory in score and memory not in failing:
        score[memory] = _memory_alone(points[memory][-1], points[cpu][-1])
        if score[memory] > _waiting(points[cpu][-1]):
            score[memory] = max(score[memory], score.get(cpu, 0.0) + 1e-9)
    score.update(dict.fromkeys(failing, math.inf))
    ordered = sorted((each for each in score if score[each] >= HURTS), key=lambda resource: -score[resource])
    return {resource: place + 1 for place, resource in enumerate(ordered)}


def _memory_alone(memory: ProfilePoint, cpu: ProfilePoint) -> float:
    """Return the slowdown by memory alone; 1 if the test does not take significantly more CPU time under it."""
    if memory.cpu_ratio is None or cpu.cpu_ratio is None or memory.by_cpu_time is None:
        return 1.0
    is_sure = memory.cpu_ratio.low > WAITS and ratio_of_ratios(memory.cpu_ratio, cpu.cpu_ratio).low > 1
    return memory.by_cpu_time if is_sure else 1.0


def _waiting(cpu: ProfilePoint) -> float:
    """Return the slowdown by waiting for a CPU, without the CPU time that other programs on it cost the test."""
    return (cpu.slowdown or 1.0) / max(1.0, cpu.cpu_ratio.middle if cpu.cpu_ratio else 1.0)
