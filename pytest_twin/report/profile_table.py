"""Which load slows which test, in plain lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_twin.model.profile_row import LEVELS
from pytest_twin.report.profile_ranking import Row, ranked


def profile_lines(rows: Sequence[Row]) -> Iterator[str]:
    """A line for each resource of each test, those that hurt it most first; of the rows of profile.csv."""
    if not rows:
        return
    levels = "".join(f"{level:>7}%" for level in LEVELS)
    yield f"{'slowed by load':<16}{levels}    knee   (? is too few repetitions to be sure; at 0% it is noise)"
    for nodeid, curves in ranked(rows):
        yield nodeid
        for curve in curves:
            slowdowns = "".join(f"{_slowdown(row):>8}" for row in curve.points)
            knee = curve.knee.replace(" ", "") or "none"
            yield f"  {curve.rank or '-'} {curve.resource:<12}{slowdowns}{knee:>8}"


def _slowdown(row: Row) -> str:
    if not row["slowdown"]:
        return "?"
    return f"{float(row['slowdown']):.2f}{'' if row['slowdown_low'] else '?'}"
