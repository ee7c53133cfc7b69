"""Growth of the kernel's counters, and how often they are read."""

from __future__ import annotations

from pytest_twin.model import counter_window

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    Counter = float | None

OFTEN_S, SELDOM_S = counter_window.OFTEN_S, counter_window.SELDOM_S
ONLY_ONCE = float("inf")  # the interval of a probe that has no values on this machine


class CounterDelta:
    """Computes how much counters grew since the last reading; None for one that decreased or is new."""

    def __init__(self) -> None:
        self._at = 0.0
        self._before: Sequence[Counter] = ()

    def since(self, values: Sequence[Counter], at: float) -> tuple[list[Counter], float]:
        """Return the growth of each counter, and the seconds since the last reading."""
        before, before_at = self._before, self._at
        self._before, self._at = values, at
        if not before or at <= before_at:
            return [None] * len(values), 0.0
        grown: list[Counter] = []
        for now, then in zip(values, before):  # noqa: B905 - called for every row
            grown.append(None if now is None or then is None or now < then else now - then)
        return grown, at - before_at

    def amounts(self, values: Sequence[Counter], at: float) -> list[Counter]:
        """Return the growth of each counter."""
        return self.since(values, at)[0]

    def shares(self, values: Sequence[Counter], at: float, capacity: float = 1.0) -> list[Counter]:
        """Return the growth of counters of time as per cent of the maximum.

        Args:
            values: The counters.
            at: The time of the row, in seconds.
            capacity: The maximum growth in a second.
        """
        grown, seconds = self.since(values, at)
        whole = seconds * capacity
        for place, value in enumerate(grown):
            if value is not None:
                grown[place] = 100.0 if value > whole else 100 * value / whole
        return grown


class Throttled:
    """Caches the result of a slow function, or of a value that changes slowly."""

    def __init__(self, read: Callable[[], Any], every_s: float) -> None:
        self._read, self._every = read, every_s
        self._due = float("-inf")
        self._value: Any = None

    def read(self, at: float) -> Any:
        """Return the last result, or a new one if it is older than `every_s`."""
        if at >= self._due:
            self._due = at + self._every
            self._value = self._read()
        return self._value
