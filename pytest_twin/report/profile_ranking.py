"""The rows of profile.csv put in order: for each test the resources, those that hurt it most first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from pytest_twin.analysis.run.by_host import on_host

Row = Mapping[str, str]
LAST = "9"  # where those are that have no rank


class SlowdownCurve(NamedTuple):
    """How one resource slows one test.

    Attributes:
        resource: Its name.
        points: The rows, a level each.
    """

    resource: str
    points: Sequence[Row]

    @property
    def rank(self) -> str:
        """1 for what hurts most; empty where that it hurts is not sure."""
        return self.points[0].get("rank", "")

    @property
    def knee(self) -> str:
        """From which level on the test is surely slower, with its unit; empty if from none."""
        knee = self.points[0].get("knee_percent")
        return f"{knee} %" if knee else ""


def rank_resources(rows: Sequence[Row]) -> Iterator[tuple[str, list[SlowdownCurve]]]:
    """The tests of a profile with their curves."""
    for test, of_test in groupby(rows, key=_test_of):
        curves = [
            SlowdownCurve(name, list(points)) for name, points in groupby(of_test, lambda row: row.get("resource", ""))
        ]
        yield test, sorted(curves, key=lambda curve: curve.rank or LAST)


def _test_of(row: Row) -> str:
    """The test that a row is of, with its host where there are several."""
    return row.get("nodeid", "") + on_host(row.get("host", ""))


def parse_number(cell: str | None) -> float | None:
    """The value of a cell; None where it has none that is finite."""
    try:
        value = float(cell or "")
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None
