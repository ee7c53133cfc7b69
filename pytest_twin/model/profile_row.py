"""Rows of profile.csv: how much slower a test is, and how often it fails, at one level of one resource."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_twin.model.columns import TIMESTAMP, Column

LOADS = ("cpu", "membw", "disk")  # the keywords of the loads; those behind the first burn CPU as well
CPU_AND_DISK = "cpu+disk"  # both loads at the same level, for predictions
QUOTA = "quota"  # less CPU time for the test: the lower the level, the harsher
LEVELS: Mapping[str, Sequence[int]] = {  # per cent, the mildest first, which stands for no load and no constraint
    **dict.fromkeys((*LOADS, CPU_AND_DISK), (0, 25, 50, 75, 100)),
    QUOTA: (100, 75, 50, 25, 10),
}

COLUMNS = (
    TIMESTAMP,
    Column("nodeid", "", "Node ID of the test.", None),
    Column("host", "", "The host, in a run on several hosts; empty for the host of pytest itself.", None),
    Column(
        "resource",
        "",
        "The load: `cpu`, `membw` (memory bandwidth), `disk`, or with `--twin-predict` `cpu+disk`, both at the same "
        "level; or `quota`: a constraint of the CPU time of the test.",
        None,
    ),
    Column(
        "level_percent",
        "%",
        "Level of the load: a share of the usable CPUs, or of the maximum rate measured at the start of the profile; "
        "at 0 there is no load, and the row shows the noise of the test. For `quota`, the share of the usable CPUs "
        "that is left to the test; at 100 there is no constraint.",
        0,
    ),
    Column("target", "", "The requested load or constraint.", None),
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
        "The mildest level from which on the test is at least 10 % slower with 95 % confidence, or fails significantly "
        "more often than without load: the lowest level of a load, the highest of `quota`; empty if there is none.",
        0,
    ),
    Column(
        "rank",
        "",
        "1 for the load that slows the test down most, or lets it fail; empty if neither is certain, and for `quota` "
        "and `cpu+disk`.",
        0,
    ),
    Column("runs", "", "Number of runs of the test at this level, passed and failed.", 0),
    Column("failures", "", "Number of these runs that failed; `slowdown` is that of the others.", 0),
    Column("error", "", "First line of the error of the first of these failures.", None),
)
FIELDS = tuple(column.name for column in COLUMNS)


def load_at(resource: str, level: int, most: float) -> dict[str, Any]:
    """Return the keywords of a load or of a constraint.

    Args:
        resource: One of `LEVELS`.
        level: One of its levels; the first is no load and no constraint.
        most: The maximum in bytes per second, of `CPU_AND_DISK` that of the disk; not used for the CPU.
    """
    if level == LEVELS[resource][0]:
        return {}
    if resource == QUOTA:
        return {"constrain": {"cpu": f"{level}%"}}
    if resource == CPU_AND_DISK:
        return {**load_at("cpu", level, most), **load_at("disk", level, most)}
    if resource == LOADS[0]:
        return {resource: f"{level}%"}
    return {resource: "max" if level == 100 else f"{max(1, round(most * level / 100 / 1e6))}MB/s"}
