"""Rows of annotations.csv."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from pytest_twin.model.clock import Clock
from pytest_twin.model.table import record

START, END, ABORT, SKIP, NOTE = "start", "end", "abort", "skip", "note"
TEST, PHASE, GAP = "test", "phase", "gap"

FIELDS = ("timestamp", "elapsed_s", "event", "id", "type", "test", "worker", "target", "achieved", "detail")


class Event(NamedTuple):
    """Something started, ended, was aborted, was skipped, or was noted.

    Attributes:
        elapsed_s: Seconds since the run began.
        event: ``start``, ``end``, ``abort``, ``skip`` or ``note``.
        id: Pairs a start with its end.
        type: ``test``, ``phase``, ``note``, ``gap``, or a load's kind (``cpu``, ``memory``, ``disk``).
        test: The node id of the test it belongs to.
        worker: The pytest-xdist worker, empty without.
        target: What was asked, as it was written.
        achieved: What was really there, in the unit of the target.
        detail: Text, or one JSON object.
    """

    elapsed_s: float
    event: str
    id: str = ""
    type: str = NOTE
    test: str = ""
    worker: str = ""
    target: str = ""
    achieved: str = ""
    detail: str = ""

    def row(self, clock: Clock) -> str:
        """The event as a line of annotations.csv."""
        return record((clock.stamp(self.elapsed_s), f"{self.elapsed_s:.4f}", *self[1:]))


def detail(text: str = "", fields: dict[str, Any] | None = None) -> str:
    """The detail cell: the text alone, or one JSON object when there are fields."""
    if not fields:
        return text
    return json.dumps({**({"text": text} if text else {}), **fields}, default=str, ensure_ascii=False)
