"""What a run comes to, for somebody who has just waited for it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pytest_twin.model import event

Row = Mapping[str, str]
WORTH_TELLING_MB = 10.0  # of memory: allocators keep less than that of what a test has freed


@dataclass(frozen=True)
class LoadLine:
    """Loads that were asked for with the same words.

    Attributes:
        type: ``cpu``, ``memory``, ``disk`` …
        target: What was asked.
        times: How often it was applied.
        achieved: What was there, the different answers in the order in which they came.
        held_s: Seconds for which it was there, over all times.
        troubles: Why some were aborted or reduced.
        host: Where they were, empty for pytest's own host.
    """

    type: str
    target: str
    times: int
    achieved: tuple[str, ...]
    held_s: float
    troubles: tuple[str, ...]
    host: str = ""


class LoadEnd(NamedTuple):
    """A load that is over.

    Attributes:
        type: ``cpu``, ``memory``, ``disk`` …
        target: What was asked.
        achieved: What was there, empty where that is not told.
        is_aborted: Whether it was aborted.
        fields: What else its last event says.
        host: Where it was, empty for pytest's own host.
    """

    type: str
    target: str
    achieved: str
    is_aborted: bool
    fields: Mapping[str, object]
    host: str = ""


def loads(annotations: Sequence[Row]) -> list[LoadLine]:
    """The loads of a run, those of the same words and host together, in the order of their first end."""
    ends = [
        LoadEnd(
            row["type"],
            row["target"],
            row["achieved"],
            row["event"] == event.ABORT,
            _fields(row),
            row.get("host") or "",
        )
        for row in annotations
        if row["event"] in {event.END, event.ABORT} and row["target"]
    ]
    return group_loads(ends)


def group_loads(ends: Iterable[LoadEnd]) -> list[LoadLine]:
    """Those of the same words and host together, in the order of their first end."""
    groups: dict[tuple[str, str, str], list[LoadEnd]] = {}
    for end in ends:
        groups.setdefault((end.type, end.target, end.host), []).append(end)
    lines = []
    for (kind, target, host), found in groups.items():
        held = sum(float(str(end.fields.get("held_s") or 0)) for end in found)
        aborted = [str(end.fields["reason"]) for end in found if end.is_aborted and "reason" in end.fields]
        reduced = [str(end.fields["reduced"]) for end in found if "reduced" in end.fields]
        achieved = dict.fromkeys(end.achieved for end in found if end.achieved)
        troubles = tuple(dict.fromkeys(aborted + reduced))
        lines.append(LoadLine(kind, target, len(found), tuple(achieved), held, troubles, host))
    return lines


def skipped(annotations: Sequence[Row]) -> Counter[str]:
    """How many loads were not reached, by type."""
    return event.count_skipped((row["type"], row["detail"]) for row in annotations if row["event"] == event.SKIP)


def cpu_s(test: Row) -> float:
    """The CPU seconds of a test, children included; what is not known counts nothing."""
    return sum(float(test[name] or 0) for name in ("cpu_user_s", "cpu_system_s", "children_cpu_s"))


def growth_MB(test: Row) -> float:  # noqa: N802 - as the column is called
    """By how many MiB the resident memory of the process grew in a test; 0 where that is not known."""
    return float(test["memory_growth_MB"] or 0)


def heaviest(tests: Sequence[Row], cost: Callable[[Row], float], count: int = 3) -> list[tuple[Row, float]]:
    """The tests that cost most, with what they cost; the dearest run of one that was repeated."""
    costs: dict[str, tuple[Row, float]] = {}
    for row in tests:
        own = cost(row)
        if row["nodeid"] not in costs or own > costs[row["nodeid"]][1]:
            costs[row["nodeid"]] = row, own
    return sorted(costs.values(), key=lambda cost: -cost[1])[:count]


def leaks(kept: Iterable[tuple[str, float | None]]) -> list[tuple[str, float]]:
    """The tests that left memory behind in their process, in MiB, those that left most first.

    Args:
        kept: Each run of each test, by how much more was resident after it than before; None where that is not known.
    """
    found: dict[str, float] = {}
    for test, size in kept:
        found[test] = found.get(test, 0.0) + (size or 0.0)
    large = [(test, round(size, 3)) for test, size in found.items() if size >= WORTH_TELLING_MB]
    return sorted(large, key=lambda leak: -leak[1])


def _fields(row: Row) -> dict[str, object]:
    try:
        fields = json.loads(row["detail"])
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}
