"""How the clock of another host goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

PINGS = 8


class Offset(NamedTuple):
    """How another host's clock goes.

    Attributes:
        seconds: What the controller's monotonic clock is ahead of it.
        uncertainty_s: By how much that may be wrong: half of the round trip it was learned in.
    """

    seconds: float
    uncertainty_s: float


def estimated(ask: Callable[[], float], now: Callable[[], float], times: int = PINGS) -> Offset:
    """Where the clock of somebody who is asked stands; of several round trips the shortest counts.

    Args:
        ask: Asks for the other clock.
        now: Our clock.
        times: How often to ask.
    """
    found = []
    for _ in range(times):
        asked = now()
        theirs = ask()
        answered = now()
        found.append(Offset(theirs - (asked + answered) / 2, (answered - asked) / 2))
    return min(found, key=lambda offset: offset.uncertainty_s)
