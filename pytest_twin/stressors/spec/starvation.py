"""Whether a load has achieved what was requested."""

from __future__ import annotations

import math

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

STARVED_BELOW = 0.8  # of the requested figure


def starved(achieved: Mapping[str, float | str], tolerances: Mapping[str, float] | None = None) -> str:
    """Return a description of a load that has achieved much less than requested; empty if it has not.

    Args:
        achieved: The figures of the load; ``asked_X`` is the requested value of ``X``.
        tolerances: How much of a figure may be missing besides.
    """
    for name, requested in achieved.items():
        figure = name.removeprefix("asked_")
        value = achieved.get(figure, 0.0)
        if figure == name or isinstance(requested, str) or isinstance(value, str):
            continue
        if value + (tolerances or {}).get(figure, 0.0) < STARVED_BELOW * requested:
            percent = math.floor(100 * value / requested + 1e-9)  # rounded down, like the verdict
            return f"starved: achieved {percent}% of the request ({figure} {value:.4g} of {requested:.4g})"
    return ""
