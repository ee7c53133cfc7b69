"""A load over time: points of (seconds, value), straight between them, the last one held.

A constant has one point, a ramp two, a staircase two points at the time of each step, a recording as many as it has.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import accumulate, pairwise

Points = list[tuple[float, float]]


class Profile:
    """The value of a load at a time since it began."""

    def __init__(self, points: Points) -> None:
        self.points = points
        self._times = [at for at, _ in points]
        areas = ((low + high) / 2 * (ends - began) for (began, low), (ends, high) in pairwise(points))
        self._areas = list(accumulate(areas, initial=points[0][0] * points[0][1]))  # up to each point

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

    def integral(self, elapsed: float) -> float:
        """The value times the time, from the beginning on for so many seconds: of a rate what it comes to."""
        after = bisect_right(self._times, elapsed)
        if after == 0:
            return elapsed * self.points[0][1]
        began, value = self.points[after - 1]
        return self._areas[after - 1] + (value + self.at(elapsed)) / 2 * (elapsed - began)

    def scaled(self, factor: float, most: float = math.inf) -> Profile:
        """The same with every value multiplied, and cut off at the most."""
        points = [(at, value * factor) for at, value in self.points]
        cut = points[:1]
        for (began, low), (ends, high) in pairwise(points):
            if (low - most) * (high - most) < 0:  # it goes through the most in between
                cut.append((began + (most - low) / (high - low) * (ends - began), most))
            cut.append((ends, high))
        return Profile([(at, min(value, most)) for at, value in cut])
