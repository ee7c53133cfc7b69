"""The amount of a load over time: points of (seconds, value) with straight lines between them; the last value is held.

A constant has one point, a ramp two, a staircase two at the time of each step, a recording one for each of its rows.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from itertools import accumulate, pairwise

Points = list[tuple[float, float]]


class Profile:
    """The amount of a load as a function of the seconds since it was ready."""

    def __init__(self, points: Points) -> None:
        self.points = points
        self._times = [at for at, _ in points]
        integrals = ((low + high) / 2 * (ends - began) for (began, low), (ends, high) in pairwise(points))
        self._integrals = list(accumulate(integrals, initial=points[0][0] * points[0][1]))  # until each point

    @property
    def last_change(self) -> float:
        """The seconds after which the value is constant."""
        return self._times[-1]

    @property
    def peak(self) -> float:
        """The highest value."""
        return max(value for _, value in self.points)

    def at(self, elapsed: float) -> float:
        """Return the value after some seconds."""
        after = bisect_right(self._times, elapsed)
        if after == 0:
            return self.points[0][1]
        began, low = self.points[after - 1]
        if after == len(self.points):
            return low
        ends, high = self.points[after]
        return low + (high - low) * (elapsed - began) / (ends - began)

    def integral(self, elapsed: float) -> float:
        """Return the integral of the value over the first seconds: for a rate, the amount."""
        after = bisect_right(self._times, elapsed)
        if after == 0:
            return elapsed * self.points[0][1]
        began, value = self.points[after - 1]
        return self._integrals[after - 1] + (value + self.at(elapsed)) / 2 * (elapsed - began)

    def scaled(self, factor: float, most: float = math.inf) -> Profile:
        """Return a profile with every value multiplied by a factor and limited to a maximum."""
        points = [(at, value * factor) for at, value in self.points]
        cut = points[:1]
        for (began, low), (ends, high) in pairwise(points):
            if (low - most) * (high - most) < 0:  # the line crosses the maximum
                cut.append((began + (most - low) / (high - low) * (ends - began), most))
            cut.append((ends, high))
        return Profile([(at, min(value, most)) for at, value in cut])
