"""Which load hurts a test, and from how much of it on: a curve for each resource, the knee of it, and their ranking."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from pytest_twin.analysis.budgets.repetitions import RunPair, middle, said_range
from pytest_twin.analysis.stats.signed_rank import FEWEST, Interval, ratio_interval, ratio_of_ratios
from pytest_twin.model.profile_row import LEVELS, RESOURCES

HURTS = 1.1  # a test that is 10 % slower is hurt; less is hardly worth a look, and hard to tell from noise
WAITS = 1.05  # nothing but waiting for memory makes a test need 5 % more CPU time
NARROW = 1.05  # an interval whose borders differ by no more needs no more repetitions
LEAST_CPU_S = 0.001  # of less no ratio is told: the clock of a process is not that exact


class ProfileCell(NamedTuple):
    """A place of the profile: so much of one resource."""

    resource: str
    level: int


class ProfilePoint(NamedTuple):
    """What is known of one cell.

    Attributes:
        cell: Which.
        pairs: How often it was measured.
        idle_s: Median seconds of the body without load; None if it was never measured.
        slowdown: Median ratio; None if it was never measured.
        interval: Where that of all such pairs lies; None where there were too few.
        cpu_ratio: The same of CPU seconds; None with too few, or where there is hardly any CPU time.
        by_cpu_time: How much slower it would be by the CPU time alone that it takes more; None as above.
        achieved: What there was of the load.
    """

    cell: ProfileCell
    pairs: int
    idle_s: float | None
    slowdown: float | None
    interval: Interval | None
    cpu_ratio: Interval | None
    by_cpu_time: float | None
    achieved: str


class ResourceCurve(NamedTuple):
    """How one resource slows a test.

    Attributes:
        resource: Which.
        points: By level, from 0 on.
        knee: The level from which on it hurts for sure; None if none.
        rank: 1 for the one that hurts most; None for one that does not.
    """

    resource: str
    points: Sequence[ProfilePoint]
    knee: int | None
    rank: int | None


Measured = Mapping[ProfileCell, Sequence[RunPair]]
NOTHING = ProfileCell("", 0)  # no load, against itself: the same for each resource


def cells() -> list[ProfileCell]:
    """All of them, no load but once."""
    return [NOTHING, *(ProfileCell(resource, level) for resource in RESOURCES for level in LEVELS if level)]


def rounds(seed: int) -> Iterator[list[ProfileCell | None]]:
    """Orders in which to measure every cell once, and the test without load, which is None, once for all of them."""
    draw = random.Random(seed)  # noqa: S311 - not for secrets
    while True:
        order: list[ProfileCell | None] = [None, *cells()]
        draw.shuffle(order)
        yield order


def least_known_cell(measured: Measured) -> ProfileCell | None:
    """The cell of which least is known; None where every interval is narrow.

    Raises:
        TooFewError: Some has not been measured often enough for an interval.
    """
    width = {cell: _width(_ratio(pairs)) for cell, pairs in measured.items()}
    cell = max(width, key=width.__getitem__)
    return cell if width[cell] > math.log(NARROW) else None


def _width(interval: Interval) -> float:
    return math.log(interval.high / interval.low)


def _ratio(pairs: Sequence[RunPair]) -> Interval:
    return ratio_interval([pair.stressed.wall_s for pair in pairs], [pair.idle.wall_s for pair in pairs])


def curves(measured: Measured) -> list[ResourceCurve]:
    """The curve of each resource."""
    points = {
        resource: [
            _point(ProfileCell(resource, level), measured.get(ProfileCell(resource, level) if level else NOTHING, ()))
            for level in LEVELS
        ]
        for resource in RESOURCES
    }
    ranks = _ranks(points)
    return [
        ResourceCurve(resource, points[resource], knee(points[resource]), ranks.get(resource)) for resource in RESOURCES
    ]


def _point(cell: ProfileCell, pairs: Sequence[RunPair]) -> ProfilePoint:
    if not pairs:
        return ProfilePoint(cell, 0, None, None, None, None, None, "")
    interval = _ratio(pairs) if len(pairs) >= FEWEST else None
    slowdown = (
        interval.middle if interval else middle(pair.stressed.wall_s / max(pair.idle.wall_s, 1e-9) for pair in pairs)
    )
    achieved = said_range([pair.stressed.achieved[0] for pair in pairs]) if cell.level else ""
    idle_s = middle(pair.idle.wall_s for pair in pairs)
    return ProfilePoint(cell, len(pairs), idle_s, slowdown, interval, *_by_cpu_time(pairs), achieved)


def _by_cpu_time(pairs: Sequence[RunPair]) -> tuple[Interval | None, float | None]:
    """The ratio of CPU seconds, and how much slower what it takes more of them makes the test."""
    both = [(pair.stressed.cpu_s or 0.0, pair.idle.cpu_s or 0.0, pair.idle.wall_s) for pair in pairs]
    told = [each for each in both if min(each[:2]) >= LEAST_CPU_S]
    if len(told) < FEWEST:
        return None, None
    stressed, idle, wall = zip(*told, strict=True)
    longer = [took + more - less for more, less, took in told]
    return ratio_interval(stressed, idle), ratio_interval(longer, wall).middle


def knee(points: Sequence[ProfilePoint]) -> int | None:
    """The level from which on a test is hurt for sure, at each further one too; None if there is none."""
    found = None
    for point in reversed(points):
        if point.interval is None or point.interval.low < HURTS:
            break
        found = point.cell.level
    return found


def _ranks(points: Mapping[str, Sequence[ProfilePoint]]) -> dict[str, int]:
    """The rank of each resource that hurts, by the slowdown at its highest level.

    A load of memory bandwidth burns CPU as well, and slows a test that waits for a CPU as much as a load of CPU does.
    So of its slowdown counts only what the test takes more CPU time for, which waiting for memory makes and waiting for
    a CPU does not. It comes before the CPU where that is more than what waiting for a CPU makes of the test.
    """
    score = {resource: each[-1].slowdown or 0.0 for resource, each in points.items() if knee(each) is not None}
    cpu, memory, _ = RESOURCES
    if memory in score:
        score[memory] = _memory_alone(points[memory][-1], points[cpu][-1])
        if score[memory] > _waiting(points[cpu][-1]):
            score[memory] = max(score[memory], score.get(cpu, 0.0) + 1e-9)
    ordered = sorted((each for each in score if score[each] >= HURTS), key=lambda resource: -score[resource])
    return {resource: place + 1 for place, resource in enumerate(ordered)}


def _memory_alone(memory: ProfilePoint, cpu: ProfilePoint) -> float:
    """How much slower memory makes a test by itself; 1 where it does not for sure take more CPU time for it."""
    if memory.cpu_ratio is None or cpu.cpu_ratio is None or memory.by_cpu_time is None:
        return 1.0
    is_sure = memory.cpu_ratio.low > WAITS and ratio_of_ratios(memory.cpu_ratio, cpu.cpu_ratio).low > 1
    return memory.by_cpu_time if is_sure else 1.0


def _waiting(cpu: ProfilePoint) -> float:
    """How much slower waiting for a CPU makes it: other programs on it make it take more CPU time too."""
    return (cpu.slowdown or 1.0) / max(1.0, cpu.cpu_ratio.middle if cpu.cpu_ratio else 1.0)
