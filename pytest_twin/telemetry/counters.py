"""Growth of the kernel's counters, and how often they are read."""

from __future__ import annotations

from pytest_twin.model import counter_window

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Counter = float | None

OFTEN_S, SELDOM_S = counter_window.OFTEN_S, counter_window.SELDOM_S
RARELY_S = 1.9  # for what says little about a moment, such as the size of a disk
ONLY_ONCE = float("inf")  # the interval of a probe that has no values on this machine


class CounterDelta:
    """Computes how much counters grew since the last reading; None for one that decreased or is new."""

    def __init__(self) -> None:
        self._at = 0.0
        self._before: Sequence[Counter] = ()

    def amounts(self, values: Sequence[Counter], at: float) -> list[Counter]:
        """Return the growth of each counter."""
        before, seconds = self._before, at - self._at
        self._before, self._at = values, at
        if not before or seconds <= 0:
            return [None] * len(values)
        grown: list[Counter] = []
        for now, then in zip(values, before):  # noqa: B905 - called for every row
            grown.append(None if now is None or then is None or now < then else now - then)
        return grown

    def shares(self, values: Sequence[Counter], at: float, capacity: float = 1.0) -> list[Counter]:
        """Return the growth of counters of time as per cent of the maximum.

        Args:
            values: The counters.
            at: The time of the row, in seconds.
            capacity: The maximum growth in a second.
        """
        before, whole = self._before, (at - self._at) * capacity
        self._before, self._at = values, at
        if not before or whole <= 0:
            return [None] * len(values)
        scale = 100 / whole
        shares: list[Counter] = []
        for now, then in zip(values, before):  # noqa: B905 - called for every row
            if now is None or then is None or now < then:
                shares.append(None)
            elif (share := (now - then) * scale) < 100.0:
                shares.append(share)
            else:
                shares.append(100.0)
        return shares
