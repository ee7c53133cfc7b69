"""The loads of a run, grouped by request."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from pytest_twin.loads.amount_numbers import amount_numbers
from pytest_twin.model import event
from pytest_twin.model.csv_text import parse_number
from pytest_twin.model.quantity import format_share
from pytest_twin.stressors.spec.request import CUT
from pytest_twin.stressors.spec.starvation import achieved_share

Row = Mapping[str, str]
STAGES = ","  # in a target: behind it are the stages
NOTICEABLE = 0.95  # of the request: more is within what control of a rate leaves
CHANCE_S = 0.1  # of its time: a load may be short of so much by its start, its end and the size of its steps
BLOCK_BYTES = 128 * 1024  # about as much a replay of a disk reads or writes at once


class LoadLine(NamedTuple):
    """Loads with the same request.

    Attributes:
        type: ``cpu``, ``memory``, ``disk`` …
        target: The requested amount.
        times: How often it was applied.
        achieved: The different achieved amounts, in order, with a remark on those that the request is no measure for.
        held_s: Seconds for which it was applied, in total.
        troubles: Why some were aborted or reduced, or that the run ended before they were ready.
        host: Their host; empty for pytest's own.
        lowest_share: The lowest share of the request that one of them achieved over its time; None if unknown, or if
            all were held too short to judge.
    """

    type: str
    target: str
    times: int
    achieved: tuple[str, ...]
    held_s: float
    troubles: tuple[str, ...]
    host: str = ""
    lowest_share: float | None = None


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

    @property
    def share(self) -> float | None:
        """The share of the request that it achieved over its time; None if unknown.

        Old runs have only the amount at its end, which says nothing about a request that changes.
        """
        found = achieved_share(self.fields)
        return self._ratio if found is None else found

    @property
    def _ratio(self) -> float | None:
        """The achieved amount as a share of the requested one; None for a constraint, and if one is not known."""
        if self.type == event.CONSTRAINT:
            return None
        numbers = amount_numbers(self.type, self.target, self.achieved)
        ratio = numbers.achieved / numbers.asked if numbers.asked else math.nan
        return ratio if math.isfinite(ratio) else None

    @property
    def held_s(self) -> float:
        """Seconds for which it was applied."""
        return self._number("held_s")

    def _number(self, field: str) -> float:
        return parse_number(str(self.fields.get(field))) or 0.0

    @property
    def unjudged(self) -> str:
        """Why its shortfall may be chance: it is less than what a load is late by, or adds at once; empty if not."""
        if self.is_aborted or not self.held_s or self.share is None or self.share >= NOTICEABLE:
            return ""
        if (1 - self.share) * self.held_s < CHANCE_S:
            return "held too short to judge"
        missing_bytes = self._number("asked_moved_bytes") - self._number("moved_bytes")
        return "requested too little to judge" if 0 < missing_bytes < BLOCK_BYTES else ""

    @property
    def achieved_text(self) -> str:
        """The achieved amount; what seems short of the request and is not, since it was in its ramp, says so."""
        if self.unjudged:
            return f"{self.achieved} ({self.unjudged})"
        ratio = self._ratio
        is_of_ramp = "full_s" in self.fields and STAGES not in self.target and (ratio is None or ratio < NOTICEABLE)
        if is_of_ramp and self.share is not None:
            return f"{self.achieved} ({format_share(self.share)} of its ramp)"
        return self.achieved


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
        held = sum(end.held_s for end in found)
        aborted = [str(end.fields["reason"]) for end in found if end.is_aborted and "reason" in end.fields]
        reduced = [why for end in found if (why := event.reduction(end.fields))]
        achieved = dict.fromkeys(end.achieved_text for end in found if end.achieved)
        cut = [CUT for end in found if end.fields.get("reason") == CUT]
        troubles = tuple(dict.fromkeys(aborted + reduced + cut))
        shares = (end.share for end in found if not end.unjudged)
        lowest = min((share for share in shares if share is not None), default=None)
        lines.append(LoadLine(kind, target, len(found), tuple(achieved), held, troubles, host, lowest))
    return lines


def skipped(annotations: Sequence[Row]) -> Counter[str]:
    """Return the number of loads that were not applied, by type."""
    return event.count_skipped((row["type"], row["detail"]) for row in annotations if row["event"] == event.SKIP)


def _fields(row: Row) -> dict[str, object]:
    try:
        fields = json.loads(row["detail"])
    except ValueError:
        return {}
    return fields if isinstance(fields, dict) else {}
