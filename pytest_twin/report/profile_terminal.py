"""A profile as plain lines for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING

from pytest_twin.model.profile_row import LEVELS, LOADS, QUOTA
from pytest_twin.report.profile_ranking import (
    NOT_KNOWN,
    failures_by_curve,
    first_error,
    format_failures,
    rank_resources,
)
from pytest_twin.report.wording import TERMINAL_WIDTH

if TYPE_CHECKING:
    from pytest_twin.analysis.run.overview import Row


def profile_lines(rows: Sequence[Row]) -> Iterator[str]:
    """Yield a line for each resource of each test from the rows of profile.csv, the largest slowdown first.

    Args:
        rows: The rows, at least one.
    """
    levels = "".join(f"{level:>7}%" for level in LEVELS[LOADS[0]])
    yield f"{'slowdown by load':<16}{levels}    knee"
    if any(row["resource"] == QUOTA for row in rows):
        levels = "".join(f"{level:>7}%" for level in LEVELS[QUOTA])
        yield f"{'by CPU quota':<16}{levels}    knee   (CPUs left)"
    yield "(?: too few repetitions; the column 0% shows noise)"
    for nodeid, curves in rank_resources(rows):
        yield nodeid
        for curve in curves:
            slowdowns = "".join(f"{_slowdown(row):>8}" for row in curve.points)
            knee = curve.knee_or_doubt.replace(" %", "%").replace(NOT_KNOWN, "?")
            yield f"  {curve.rank or '-'} {curve.resource:<12}{slowdowns}{knee:>8}"
        failures = failures_by_curve(curves)
        for each in failures:
            yield from _wrapped(f"fails {', '.join(map(format_failures, each))}")
        if failures:
            yield from _wrapped(f"the first failure: {first_error(curves)}")


def _wrapped(text: str) -> list[str]:
    return wrap(text, TERMINAL_WIDTH, initial_indent=" " * 4, subsequent_indent=" " * 6)


def _slowdown(row: Row) -> str:
    if not row["slowdown"]:
        return "?"
    return f"{float(row['slowdown']):.2f}{'' if row['slowdown_low'] else '?'}"
