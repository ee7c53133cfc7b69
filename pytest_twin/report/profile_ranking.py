"""Group the rows of profile.csv by test and resource, the largest slowdown first, and describe the failures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from pytest_twin.analysis.run.by_host import on_host
from pytest_twin.model.csv_text import parse_number
from pytest_twin.model.profile_row import LEVELS, QUOTA

Row = Mapping[str, str]
NOT_KNOWN = "not known"  # of a knee that too few repetitions leave open
LAST = "9"  # where those are that have no rank


class SlowdownCurve(NamedTuple):
    """The slowdown of one test by one resource.

    Attributes:
        resource: The name of the resource.
        points: Its rows, one for each level, the mildest first.
    """

    resource: str
    points: Sequence[Row]

    @property
    def is_quota(self) -> bool:
        """Whether it is the curve of a quota of CPU time, and not of a load."""
        return self.resource == QUOTA

    @property
    def rank(self) -> str:
        """1 for the largest slowdown; empty if it is not significant."""
        return self.points[0].get("rank", "")

    @property
    def knee(self) -> str:
        """The level from which the test is significantly slower, with its unit; empty if none is known."""
        knee = self.points[0].get("knee_percent")
        return f"{knee} %" if knee else ""

    @property
    def knee_or_doubt(self) -> str:
        """The knee; ``none``, or ``not known`` where a level has too few repetitions for an interval."""
        return self.knee or ("none" if all(map(is_sure, self.points)) else NOT_KNOWN)


def is_sure(row: Row) -> bool:
    """Return whether the slowdown at a level has a confidence interval: with too few repetitions it has none."""
    return bool(row.get("slowdown_low"))


def rank_resources(rows: Sequence[Row]) -> Iterator[tuple[str, list[SlowdownCurve]]]:
    """Yield the tests of a profile with their curves."""
    for test, of_test in groupby(rows, key=_test_of):
        curves = [
            SlowdownCurve(name, list(points)) for name, points in groupby(of_test, lambda row: row.get("resource", ""))
        ]
        yield test, sorted(curves, key=lambda curve: curve.rank or LAST)


def failures_by_curve(curves: Sequence[SlowdownCurve]) -> list[list[Row]]:
    """Return the rows with failures of each curve that has any, and at the end those without load."""
    found = [[row for row in curve.points[1:] if has_failures(row)] for curve in curves]
    return [*filter(None, found), *([row] for curve in curves[:1] for row in curve.points[:1] if has_failures(row))]


def format_failures(row: Row) -> str:
    """Return how often a test failed at a level, such as ``3 of 5 under cpu=75%``."""
    resource, level = row.get("resource", ""), row.get("level_percent", "")
    is_idle = level == str(LEVELS.get(resource, (0,))[0])
    where = "without load" if is_idle else f"under {row.get('target') or f'{resource}={level}%'}"
    return f"{row['failures']} of {row.get('runs', '?')} {where}"


def worst_failures(curves: Sequence[SlowdownCurve]) -> str:
    """Return for each curve how often the test failed at the level at which it failed most."""
    return ", ".join(format_failures(max(rows, key=_share)) for rows in failures_by_curve(curves))


def _share(row: Row) -> float:
    """Return the share of runs that failed."""
    return (parse_number(row.get("failures")) or 0.0) / (parse_number(row.get("runs")) or 1.0)


def first_error(curves: Sequence[SlowdownCurve]) -> str:
    """Return the error of the first failure of a test; empty if it never failed."""
    return next((row["error"] for curve in curves for row in curve.points if row.get("error")), "")


def has_failures(row: Row) -> bool:
    """Return whether the test failed at a level; an older profile.csv does not say so."""
    return bool(parse_number(row.get("failures")))


def _test_of(row: Row) -> str:
    """Return the test of a row, with its host if there are several."""
    return row.get("nodeid", "") + on_host(row.get("host", ""))
