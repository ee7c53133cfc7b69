"""Rows of profile.csv: how much slower a test is at one level of one resource."""

from __future__ import annotations

from typing import Any

from pytest_twin.model.columns import TIMESTAMP, Column

RESOURCES = ("cpu", "membw", "disk")  # what the load is called; those behind the first burn CPU as well
LEVELS = (0, 25, 50, 75, 100)  # per cent

COLUMNS = (
    TIMESTAMP,
    Column("nodeid", "", "The test.", None),
    Column("host", "", "Which host it was on, where there are several; empty for pytest's own.", None),
    Column("resource", "", "The load: `cpu`, `membw` (memory bandwidth) or `disk`.", None),
    Column(
        "level_percent",
        "%",
        "How much of it: of the usable CPUs, or of the most that this machine managed when the profile began; "
        "at 0 there is no load, and the row tells how much the test differs from itself.",
        0,
    ),
    Column("target", "", "What was asked.", None),
    Column("achieved", "", "What was there: the median, and from where to where it was.", None),
    Column("repetitions", "", "How often it was measured, each time with a run without load in the same round.", 0),
    Column("idle_s", "s", "Median time of the body without load."),
    Column("slowdown", "", "Median ratio of the time of the body to that without load.", 4),
    Column(
        "slowdown_low", "", "Lower border of its interval, with 95 % confidence; empty with too few repetitions.", 4
    ),
    Column("slowdown_high", "", "Upper border of it.", 4),
    Column(
        "cpu_time_ratio",
        "",
        "The same ratio of the CPU time of the body: waiting for a CPU is not in it, waiting for memory is.",
        4,
    ),
    Column("knee_percent", "%", "The level from which on the test is at least 10 % slower for sure; empty if none.", 0),
    Column("rank", "", "1 for the resource that hurts the test most; empty for those that do not for sure.", 0),
)
FIELDS = tuple(column.name for column in COLUMNS)


def load_at(resource: str, level: int, most: float) -> dict[str, Any]:
    """The keywords of a load.

    Args:
        resource: One of `RESOURCES`.
        level: Per cent; 0 is no load.
        most: Bytes a second that there can be of it; not looked at for the CPU.
    """
    if not level:
        return {}
    if resource == RESOURCES[0]:
        return {resource: f"{level}%"}
    return {resource: "max" if level == 100 else f"{max(1, round(most * level / 100 / 1e6))}MB/s"}
