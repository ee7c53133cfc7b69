"""Things that last, put beside each other where they overlap."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pytest_twin.analysis.run.spans import RunSpan


def assign_lanes(spans: Iterable[RunSpan]) -> list[int]:
    """A lane for each, such that no two of a lane are there at the same time; as few lanes as there can be.

    Args:
        spans: In the order of their starts.
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
    """The order of workers: by their numbers, none first."""
    digits = re.sub(r"\D", "", worker)
    return int(digits) if digits else -1, worker
