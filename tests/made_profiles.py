"""Profiles that nobody measured: the rows of profile.csv."""

from __future__ import annotations

from pytest_twin.model.csv_text import header, record
from pytest_twin.model.profile_row import FIELDS

LEVELS = (0, 25, 50, 75, 100)
MOST_MB_S = 80  # what the disk takes


def profile_rows(test="test_a.py::test_a", idle_s=0.1, spread=1.02, **slowdowns):
    """The rows of a test: for each resource its slowdown at the levels; None where it was not measured."""
    return [
        _row(test, idle_s, spread, resource, level, slowdown)
        for resource, of_levels in slowdowns.items()
        for level, slowdown in zip(LEVELS, of_levels, strict=True)
    ]


def profile_text(*tests):
    """The text of profile.csv with these rows of tests."""
    rows = [row for of_test in tests for row in of_test]
    return header(FIELDS) + "".join(record([row[name] for name in FIELDS]) for row in rows)


def _row(test, idle_s, spread, resource, level, slowdown):
    row = dict.fromkeys(FIELDS, "") | {"nodeid": test, "resource": resource, "level_percent": str(level)}
    row |= {"repetitions": "8", "idle_s": str(idle_s)}
    if slowdown is not None:
        row |= {"slowdown": str(slowdown)}
    if slowdown is not None and spread:
        row |= {"slowdown_low": str(slowdown / spread), "slowdown_high": str(slowdown * spread)}
    if level and resource == "cpu":
        row |= {"target": f"cpu={level}%", "achieved": f"{level}.0%"}
    elif level:
        rate = MOST_MB_S * level // 100
        row |= {"target": f"{resource}=max" if level == 100 else f"{resource}={rate}MB/s"}
        row |= {"achieved": f"{rate}.0 MB/s, from {rate - 1}.0 MB/s to {rate + 1}.0 MB/s"}
    return row
