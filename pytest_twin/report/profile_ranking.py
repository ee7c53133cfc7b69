"""Group the rows of profile.csv by test and resource, the largest slowdown first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from pytest_twin.analysis.run.by_host import on_host

Row = Mapping[str, str]
LAST = "9"  # where those are that have no rank


class SlowdownCurve(NamedTuple):
    """The slowdown of one test by one resource.

    Attributes:
        resource: The name of the resource.
        points: Its rows, one for each level.
    """

    resource: str
    points: Sequence[Row]

    @property
    def rank(self) -> str:
        """1 for the largest slowdown; empty if it is not significant."""
        return self.points[0].get("rank", "")

    @property
    def knee(self) -> str:
        """The level from which the test is significantly slower, with its unit; empty if there is none."""
        knee = self.points[0].get("knee_percent")
        return f"{knee} %" if knee else ""


def rank_resources(rows: Sequence[Row]) -> Iterator[tuple[str, list[SlowdownCurve]]]:
    """Yield the tests of a profile with their curves."""
    for test, of_test in groupby(rows, key=_test_of):
        curves = [
            SlowdownCurve(name, list(points)) for name, points in groupby(of_test, lambda row: row.get("resource", ""))
        ]
        yield test, sorted(curves, key=lambda curve: curve.rank or LAST)


def _test_of(row: Row) -> str:
    """Return the test of a row, with its host if there are several."""
    return row.get("nodeid", "") + on_host(row.get("host", ""))


def parse_number(cell: str | None) -> float | None:
    """Return the value of a cell; None if it is not a finite number."""
    try:
        value = float(cell or "")
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None
