"""Rows of profile.csv: how much slower a test is at one level of one resource."""

from __future__ import annotations

from typing import Any

from pytest_twin.model.columns import TIMESTAMP, Column

RESOURCES = ("cpu", "membw", "disk")  # what the load is called; those behind the first burn CPU as well
LEVELS = (0, 25, 50, 75, 100)  # per cent

COLUMNS = (
    TIMESTAMP,
    Column("nodeid", "", "Node ID of the test.", None),
    Column("host", "", "The host, in a run on several hosts; empty for the host of pytest itself.", None),
    Column("resource", "", "The load: `cpu`, `membw` (memory bandwidth) or `disk`.", None),
    Column(
        "level_percent",
        "%",
        "Level of the load: a share of the usable CPUs, or of the maximum rate measured at the start of the profile; "
        "at 0 there is no load, and the row shows the noise of the test.",
        0,
    ),
    Column("target", "", "The requested load.", None),
    Column("achieved", "", "The achieved load: median, lowest and highest.", None),
    Column("repetitions", "", "Number of measurements, each paired with a run without load in the same round.", 0),
    Column("idle_s", "s", "Median duration of the test body without load."),
    Column("slowdown", "", "Median ratio of the duration of the test body to its duration without load.", 4),
    Column(
        "slowdown_low",
        "",
        "Lower bound of the 95 % confidence interval of `slowdown`; empty with too few repetitions.",
        4,
    ),
    Column("slowdown_high", "", "Upper bound of the same interval.", 4),
    Column(
        "cpu_time_ratio",
        "",
        "The ratio for the CPU time of the test body, which includes waiting for memory but not waiting for a CPU.",
        4,
    ),
    Column(
        "knee_percent",
        "%",
        "Lowest level from which on the test is at least 10 % slower with 95 % confidence; empty if there is none.",
        0,
    ),
    Column("rank", "", "1 for the resource that slows the test down most; empty if a slowdown is not certain.", 0),
)
FIELDS = tuple(column.name for column in COLUMNS)


def load_at(resource: str, level: int, most: float) -> dict[str, Any]:
    """Return the keywords of a load.

    Args:
        resource: One of `RESOURCES`.
        level: Percent; 0 is no load.
        most: The maximum in bytes per second; not used for the CPU.
    """
    if not level:
        return {}
    if resource == RESOURCES[0]:
        return {resource: f"{level}%"}
    return {resource: "max" if level == 100 else f"{max(1, round(most * level / 100 / 1e6))}MB/s"}
