"""Which load slows which test, in plain lines."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby

from pytest_twin.model.sensitivity import LEVELS

Row = Mapping[str, str]


def profile_lines(rows: Sequence[Row]) -> Iterator[str]:
    """A line for each resource of each test, those that hurt it most first; of the rows of profile.csv."""
    if not rows:
        return
    levels = "".join(f"{level:>7}%" for level in LEVELS)
    yield f"{'slowed by load':<16}{levels}    knee   (? is too few repetitions to be sure; at 0% it is noise)"
    for test, of_test in groupby(rows, key=test_of):
        yield test
        curves = [list(points) for _, points in groupby(of_test, key=lambda row: row["resource"])]
        for points in sorted(curves, key=lambda points: points[0]["rank"] or "9"):
            slowdowns = "".join(f"{_slowdown(row):>8}" for row in points)
            knee = f"{points[0]['knee_percent']:>7}%" if points[0]["knee_percent"] else f"{'none':>8}"
            yield f"  {points[0]['rank'] or '-'} {points[0]['resource']:<12}{slowdowns}{knee}"


def test_of(row: Row) -> str:
    """The test that a row of a profile is of, with its host where there are several."""
    nodeid, host = row.get("nodeid", ""), row.get("host", "")
    return f"{nodeid} on {host}" if host else nodeid


def _slowdown(row: Row) -> str:
    if not row["slowdown"]:
        return "?"
    return f"{float(row['slowdown']):.2f}{'' if row['slowdown_low'] else '?'}"
