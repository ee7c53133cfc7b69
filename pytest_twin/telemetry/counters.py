"""Counters of the kernel: what they grew by, and how often they are read."""

from __future__ import annotations

from pytest_twin.model import counter_window

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    Counter = float | None

OFTEN_S, SELDOM_S = counter_window.OFTEN_S, counter_window.SELDOM_S
ONLY_ONCE = float("inf")  # how often to ask for what is not there


class CounterDelta:
    """How much counters grew since they were read last; one that stepped back, or is new, has no growth to tell."""

    def __init__(self) -> None:
        self._at = 0.0
        self._before: Sequence[Counter] = ()

    def since(self, values: Sequence[Counter], at: float) -> tuple[list[Counter], float]:
        """What each grew by, and the seconds in which it did."""
        before, before_at = self._before, self._at
        self._before, self._at = values, at
        if not before or at <= before_at:
            return [None] * len(values), 0.0
        grown: list[Counter] = []
        for now, then in zip(values, before):  # noqa: B905 - asked for every row
            grown.append(None if now is None or then is None or now < then else now - then)
        return grown, at - before_at

    def amounts(self, values: Sequence[Counter], at: float) -> list[Counter]:
        """What each grew by."""
        return self.since(values, at)[0]

    def shares(self, values: Sequence[Counter], at: float, capacity: float = 1.0) -> list[Counter]:
        """The growth of counters of time, as per cent of what there was of it.

        Args:
            values: The counters.
            at: The time of the row, in seconds.
            capacity: How much they can grow in a second.
        """
        grown, seconds = self.since(values, at)
        whole = seconds * capacity
        for place, value in enumerate(grown):
            if value is not None:
                grown[place] = 100.0 if value > whole else 100 * value / whole
        return grown


class Throttled:
    """Something that changes slowly or costs much: read again only after a while."""

    def __init__(self, read: Callable[[], Any], every_s: float) -> None:
        self._read, self._every = read, every_s
        self._due = float("-inf")
        self._value: Any = None

    def read(self, at: float) -> Any:
        """What was read last, no older than that."""
        if at >= self._due:
            self._due = at + self._every
            self._value = self._read()
        return self._value
