"""The tests of a profile, with their responses to loads, from the rows of profile.csv."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import NamedTuple

from pytest_twin.analysis.prediction.response import JointEffect, JointLevel, LoadResponse, MeasuredLevel
from pytest_twin.analysis.run.by_host import on_host
from pytest_twin.model.csv_text import parse_number
from pytest_twin.model.profile_row import CPU_AND_DISK, LOADS
from pytest_twin.model.quantity import parse_amount
from pytest_twin.stressors.spec.kind import RATE

CPU, MEMORY_BANDWIDTH, DISK = LOADS
NEEDED = ("nodeid", "resource", "level_percent", "target", "achieved", "repetitions", "idle_s", "slowdown")

ProfileRow = Mapping[str, str]


class ProfiledTest(NamedTuple):
    """A test of a profile.

    Attributes:
        name: Its node ID, with its host if there are several.
        idle_s: The seconds of its body without load; None if it was never measured.
        responses: Its response by resource: to a share of the CPUs or of the memory bandwidth, or to bytes per second
            of the disk. A resource is missing if no level of it was measured.
        joint: How loads of the CPU and of the disk slow it together; None if that was not measured, or tells nothing.
    """

    name: str
    idle_s: float | None
    responses: Mapping[str, LoadResponse]
    joint: JointEffect | None = None


def profiled_tests(rows: Sequence[ProfileRow]) -> list[ProfiledTest]:
    """Return the tests of a profile, in its order.

    Args:
        rows: The rows of profile.csv. A test that was profiled again counts by its last rows.

    Raises:
        ValueError: A column is missing; the message is for the user.
    """
    if rows and (missing := [name for name in NEEDED if name not in rows[0]]):
        raise ValueError(f"has no column {missing[0]}; give a run folder with profile.csv, or such a file")
    tests = {}
    for name, of_test in groupby(rows, lambda row: row["nodeid"] + on_host(row.get("host") or "")):
        tests[name] = _profiled_test(name, list(of_test))
    return list(tests.values())


def _profiled_test(name: str, rows: Sequence[ProfileRow]) -> ProfiledTest:
    idle = [value for row in rows if (value := parse_number(row["idle_s"])) is not None and value > 0]
    levels = {resource: [each for row in rows if row["resource"] == resource if (each := _measured_level(row))]
              for resource in LOADS}  # fmt: skip
    distinct = {resource: list({each.load: each for each in found}.values()) for resource, found in levels.items()}
    responses = {resource: LoadResponse.fit(found) for resource, found in distinct.items() if found}
    return ProfiledTest(name, idle[0] if idle else None, responses, JointEffect.fit(_joint_levels(rows)))


def _joint_levels(rows: Sequence[ProfileRow]) -> list[JointLevel]:
    """Return what was measured under loads of CPU and disk together, at levels that were measured alone too."""
    found = {
        (row["resource"], row["level_percent"]): level
        for row in rows
        if row["resource"] in {CPU, DISK, CPU_AND_DISK} and (level := _measured_level(row)) is not None
    }
    return [
        JointLevel((found[CPU, level].slowdown, found[DISK, level].slowdown), together)
        for (resource, level), together in found.items()
        if resource == CPU_AND_DISK and (CPU, level) in found and (DISK, level) in found
    ]


def _measured_level(row: ProfileRow) -> MeasuredLevel | None:
    """Return a level above 0; None if it was not measured, or its load is not known."""
    slowdown, low, high = (parse_number(row.get(f"slowdown{border}")) for border in ("", "_low", "_high"))
    load = _load(row)
    if load is None or load <= 0 or slowdown is None or slowdown <= 0:
        return None
    has_interval = low is not None and high is not None and 0 < low <= high
    return MeasuredLevel(load, slowdown, low if has_interval else None, high if has_interval else None,
                         int(parse_number(row["repetitions"]) or 1))  # fmt: skip


def _load(row: ProfileRow) -> float | None:
    """Return the load of a row: the share of what this machine has, or the bytes per second of the disk."""
    level = parse_number(row["level_percent"])
    if row["resource"] != DISK:
        return None if level is None else level / 100
    requested, achieved = row["target"].rpartition("=")[2], row["achieved"].partition(", from ")[0]
    for text in (requested, achieved):  # the highest level requests as much as the disk takes
        try:
            amount = parse_amount(text)
        except ValueError:
            continue
        if amount.unit == RATE:
            return amount.value
    return None
