"""What a run comes to, for somebody who has just waited for it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pytest_twin.model import event

Row = Mapping[str, str]


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
    return together(ends)


def together(ends: Iterable[LoadEnd]) -> list[LoadLine]:
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
    return Counter(row["type"] for row in annotations if row["event"] == event.SKIP)


def heaviest(tests: Sequence[Row], count: int = 3) -> list[tuple[Row, float]]:
    """The tests that took most CPU seconds, children included, with those; the dearest run of one that was repeated."""
    costs: dict[str, tuple[Row, float]] = {}
    for row in tests:
        cost = float(row["cpu_user_s"] or 0) + float(row["cpu_system_s"] or 0) + float(row["children_cpu_s"] or 0)
        if row["nodeid"] not in costs or cost > costs[row["nodeid"]][1]:
            costs[row["nodeid"]] = row, cost
    return sorted(costs.values(), key=lambda cost: -cost[1])[:count]


def _fields(row: Row) -> dict[str, object]:
    try:
        fields = json.loads(row["detail"])
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}
