"""A load over time: points of (seconds, value), straight between them, the last one held.

A constant has one point, a ramp two, a staircase two points at the time of each step, a recording as many as it has.
"""

from __future__ import annotations

from bisect import bisect_right

Points = list[tuple[float, float]]


class Profile:
    """The value of a load at a time since it began."""

    def __init__(self, points: Points) -> None:
        self.points = points
        self._times = [at for at, _ in points]

    @property
    def last_change(self) -> float:
        """Seconds after which the value stays what it is."""
        return self._times[-1]

    @property
    def peak(self) -> float:
        """The highest value."""
        return max(value for _, value in self.points)

    def at(self, elapsed: float) -> float:
        """The value so many seconds after the beginning."""
        after = bisect_right(self._times, elapsed)
        if after == 0:
            return self.points[0][1]
        began, low = self.points[after - 1]
        if after == len(self.points):
            return low
        ends, high = self.points[after]
        return low + (high - low) * (elapsed - began) / (ends - began)
