"""Say by how much a load came short of its request."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_twin.analysis.run.overview import LoadLine

AMOUNT, CORES = re.compile(r"(\d+(?:\.\d+)?)\s*([A-Za-z%/]*)$"), "cores"  # as which workers are counted
SHORT = 0.8  # of the request: less is too little
NOTICEABLE = 0.95  # of the request: more is within what control of a rate leaves


def load_troubles(line: LoadLine) -> Sequence[str]:
    """Return why loads came short of their request; where no reason is known, by how much."""
    lowest = lowest_share(line)
    if line.troubles or lowest is None or lowest >= NOTICEABLE:
        return line.troubles
    return (f"achieved {lowest:.0%} of the request".replace("%", " %"),)


def lowest_share(line: LoadLine) -> float | None:
    """Return the lowest achieved amount as a share of the request, if both have the same unit."""
    shares = (ratio(answer, line.target) for answer in line.achieved)
    return min((share for share in shares if share is not None), default=None)


def ratio(answer: str, target: str) -> float | None:
    """Return the ratio of two amounts; None if they have different units."""
    one, other = (AMOUNT.match(text) for text in (answer, target))
    if not one or not other or one[2].replace(CORES, "") != other[2] or not float(other[1]):
        return None
    return float(one[1]) / float(other[1])
