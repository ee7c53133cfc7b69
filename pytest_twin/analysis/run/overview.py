"""Figures for the terminal summary of a run: loads, the most expensive tests, kept memory."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from pytest_twin.model import event

Row = Mapping[str, str]
LARGE_SHARE = 0.1  # of what all tests used together: a test with less is one of many
WORTH_TELLING_MB = 10.0  # of memory: allocators keep less than that of what a test has freed


@dataclass(frozen=True)
class LoadLine:
    """Loads with the same request.

    Attributes:
        type: ``cpu``, ``memory``, ``disk`` …
        target: The requested amount.
        times: How often it was applied.
        achieved: The different achieved amounts, in order.
        held_s: Seconds for which it was applied, in total.
        troubles: Why some were aborted or reduced.
        host: Their host; empty for pytest's own.
    """

    type: str
    target: str
    times: int
    achieved: tuple[str, ...]
    held_s: float
    troubles: tuple[str, ...]
    host: str = ""


class LoadEnd(NamedTuple):
    """The end of a load.

    Attributes:
        type: ``cpu``, ``memory``, ``disk`` …
        target: The requested amount.
        achieved: The achieved amount; empty if unknown.
        is_aborted: Whether it was aborted.
        fields: The other fields of its last event.
        host: Its host; empty for pytest's own.
    """

    type: str
    target: str
    achieved: str
    is_aborted: bool
    fields: Mapping[str, object]
    host: str = ""


def loads(annotations: Sequence[Row]) -> list[LoadLine]:
    """Return the loads of a run, grouped by request and host, in the order of their first end."""
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
    """Group loads by request and host, in the order of their first end."""
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
    """Return the number of loads that were not applied, by type."""
    return event.count_skipped((row["type"], row["detail"]) for row in annotations if row["event"] == event.SKIP)


def cpu_s(test: Row) -> float:
    """Return the CPU seconds of a test and its children; unknown figures count as 0."""
    return sum(float(test[name] or 0) for name in ("cpu_user_s", "cpu_system_s", "children_cpu_s"))


def growth_MB(test: Row) -> float:  # noqa: N802 - as the column is called
    """Return the growth of resident memory in a test in MiB; 0 if unknown."""
    return float(test["memory_growth_MB"] or 0)


def heaviest(tests: Sequence[Row], cost: Callable[[Row], float], count: int = 3) -> list[tuple[Row, float]]:
    """Return the most expensive tests with their costs; a repeated test counts by its most expensive attempt."""
    costs: dict[str, tuple[Row, float]] = {}
    for row in tests:
        own = cost(row)
        if row["nodeid"] not in costs or own > costs[row["nodeid"]][1]:
            costs[row["nodeid"]] = row, own
    return sorted(costs.values(), key=lambda cost: -cost[1])[:count]


def written_MB(test: Row) -> float:  # noqa: N802 - as the column is called
    """Return the data that a test wrote in MiB; 0 if unknown."""
    return float(test["written_MB"] or 0)


def outstanding(tests: Sequence[Row], cost: Callable[[Row], float], least: float) -> list[tuple[Row, float, float]]:
    """Return the most expensive tests with their costs and shares of the costs of all, if they are large.

    Args:
        tests: The rows of tests.csv.
        cost: Returns the cost of a row.
        least: The lowest cost that is worth telling.
    """
    ranked = heaviest(tests, cost, len(tests))
    total = sum(max(0.0, own) for _, own in ranked)
    return [(row, own, own / total) for row, own in ranked[:3] if own >= max(least, LARGE_SHARE * total)]


def leaks(kept: Iterable[tuple[str, float | None]]) -> list[tuple[str, float]]:
    """Return the tests that kept memory in their process, in MiB, those with the most first.

    Args:
        kept: Each attempt of each test, with the memory after it minus that before; None if unknown.
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
