"""Where all resources together change: the change points of a penalized segmentation, by ruptures."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import ruptures
from ruptures.base import BaseCost

from pytest_twin.analysis.fit.segment_costs import SegmentCosts

MOST_CELLS = 600  # between which a change is looked for; their number squared is the work
MOST_PENALTIES = 12  # that are tried; the number of events halves with few
ROUNDS = 3  # of moving each change to its best place


class _MatrixCost(BaseCost):  # type: ignore[misc]  # ruptures has no types
    """A cost for ruptures that was computed for all parts before."""

    model = "matrix"
    min_size = 1

    def __init__(self, matrix: Any) -> None:
        self._matrix = matrix

    def fit(self, signal: Any) -> _MatrixCost:
        """Take the signal, which is not needed any more."""
        self.signal = signal
        return self

    def error(self, start: int, end: int) -> float:
        """Return the cost of a part."""
        return float(self._matrix[start, end])


def find_changes(costs: SegmentCosts, penalty: float, most: int) -> list[int]:
    """Return the first interval of each event, and the end of the last one.

    Args:
        costs: The costs of parts.
        penalty: What an event has to save in squared errors.
        most: The largest number of events.
    """
    cell = -(-costs.count // MOST_CELLS)
    borders = np.append(np.arange(0, costs.count, cell), costs.count)
    changes = _segmented(costs.total(borders[:-1, None], borders[None, :]), penalty, most)
    places = [0, *(int(borders[place]) for place in changes), costs.count]
    for _ in range(ROUNDS if cell > 1 else 0):
        for number in range(1, len(places) - 1):
            before, here, after = places[number - 1 : number + 2]
            near = np.arange(max(before + 1, here - cell), min(after, here + cell + 1))
            places[number] = int(near[np.argmin(cost_of_change(costs, before, near, after))])
    return places


def cost_of_change(costs: SegmentCosts, before: int, places: Any, after: int) -> Any:
    """Return the cost of a part with a change at each of some places in it."""
    return costs.total(before, places) + costs.total(places, after)


def _segmented(matrix: Any, penalty: float, most: int) -> list[int]:
    """Return the changes between the cells; if they make too many events, those with the least higher penalty."""
    cells = len(matrix)
    search = ruptures.Pelt(custom_cost=_MatrixCost(matrix), min_size=1, jump=1).fit(np.zeros((cells, 1)))
    found: list[int] = search.predict(pen=penalty)
    low, high = penalty, max(float(matrix[0, cells]), 2 * penalty)  # one event at the highest
    if len(found) > most:
        found = [cells]
        for _ in range(MOST_PENALTIES):
            middle = math.sqrt(low * high)
            tried = search.predict(pen=middle)
            low, high = (middle, high) if len(tried) > most else (low, middle)
            found = tried if len(found) < len(tried) <= most else found
            if len(found) == most:
                break
    return found[:-1]
