"""Round amounts and times to what a person would write."""

from __future__ import annotations

import math

_UNITS = (86400, 3600, 1800, 900, 600, 300, 60, 30, 10, 5, 1, 0.5, 0.1)  # seconds


def rounded_amount(value: float) -> float:
    """Return a positive number with two significant digits; from 1 to 2 the last of three may be a 5."""
    if value <= 0:
        return 0.0
    unit = 10.0 ** (math.floor(math.log10(value)) - 1)
    if value < 20 * unit:
        unit /= 2
    return float(f"{round(value / unit) * unit:.4g}")


def time_units(longest_s: float, shortest_s: float) -> list[float]:
    """Return the units that a person writes times in, from the longest to the shortest."""
    return [unit for unit in _UNITS if shortest_s < unit <= longest_s]
