"""What a run comes to, for somebody who has just waited for it."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
    """

    type: str
    target: str
    times: int
    achieved: tuple[str, ...]
    held_s: float
    troubles: tuple[str, ...]


def loads(annotations: Sequence[Row]) -> list[LoadLine]:
    """The loads of a run, those of the same words together, in the order of their first end."""
    groups: dict[tuple[str, str], list[tuple[Row, dict[str, object]]]] = {}
    for row in annotations:
        if row["event"] in {event.END, event.ABORT} and row["target"]:
            groups.setdefault((row["type"], row["target"]), []).append((row, _fields(row)))
    lines = []
    for (kind, target), rows in groups.items():
        held = sum(float(str(fields.get("held_s") or 0)) for _, fields in rows)
        aborted = [str(fields["reason"]) for row, fields in rows if row["event"] == event.ABORT and "reason" in fields]
        reduced = [str(fields["reduced"]) for _, fields in rows if "reduced" in fields]
        achieved = dict.fromkeys(row["achieved"] for row, _ in rows if row["achieved"])
        lines.append(LoadLine(kind, target, len(rows), tuple(achieved), held, tuple(dict.fromkeys(aborted + reduced))))
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
