"""Assign spans to lanes so that spans in one lane do not overlap."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pytest_twin.analysis.run.spans import RunSpan


def assign_lanes(spans: Iterable[RunSpan]) -> list[int]:
    """Return a lane for each span, so that no two spans of a lane overlap, with as few lanes as possible.

    Args:
        spans: The spans in the order of their starts.
    """
    ends: list[float] = []
    found = []
    for span in spans:
        lane = next((lane for lane, end in enumerate(ends) if end <= span.start_s), len(ends))
        if lane == len(ends):
            ends.append(span.end_s)
        ends[lane] = span.end_s
        found.append(lane)
    return found


def worker_sort_key(worker: str) -> tuple[int, str]:
    """Return a key that sorts workers by their numbers, the main process first."""
    digits = re.sub(r"\D", "", worker)
    return int(digits) if digits else -1, worker
