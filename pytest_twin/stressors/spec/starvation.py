"""Whether a load has achieved what was requested."""

from __future__ import annotations

import math
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import TypeGuard

STARVED_BELOW = 0.8  # of the requested figure
LARGEST = sys.float_info.max


def starved(achieved: Mapping[str, float | str], tolerances: Mapping[str, float] | None = None) -> str:
    """Return a description of a load that has achieved much less than requested; empty if it has not.

    Args:
        achieved: The figures of the load; ``asked_X`` is the requested value of ``X``.
        tolerances: How much of a figure may be missing besides.
    """
    for figure, value, requested in _with_requests(achieved):
        if value + (tolerances or {}).get(figure, 0.0) < STARVED_BELOW * requested:
            percent = math.floor(100 * value / requested + 1e-9)  # rounded down, like the verdict
            return f"starved: achieved {percent} % of the request ({_in_words(figure, value, requested)})"
    return ""


def achieved_share(achieved: Mapping[str, object]) -> float | None:
    """Return the lowest share of a request that a load has achieved over its time; None if none is known.

    A ramp counts as what it requested at each time, and not as the amount that it ends at.
    """
    shares = (value / requested for _, value, requested in _with_requests(achieved) if requested > 0)
    return min(filter(math.isfinite, shares), default=None)


def _with_requests(achieved: Mapping[str, object]) -> Iterator[tuple[str, float, float]]:
    """Yield the name of each figure of which the request is known, its value, and the request."""
    for name, requested in achieved.items():
        figure = name.removeprefix("asked_")
        value = achieved.get(figure, 0.0)
        if figure != name and _is_amount(requested) and _is_amount(value):
            yield figure, value, requested


def _is_amount(value: object) -> TypeGuard[float]:
    return isinstance(value, (int, float)) and abs(value) <= LARGEST  # a damaged row may have a longer integer, or NaN


def _in_words(figure: str, value: float, requested: float) -> str:
    """Return what was short, such as ``0.14 of 1.49 s of CPU time`` or ``12 of 100 MB moved``."""
    what, one = figure.replace("_", " "), 1.0
    if figure.endswith("cpu_s"):
        what = f"s of CPU time{' of the host' if figure == 'host_cpu_s' else ''}"
    elif figure.endswith("resident_bytes"):
        what, one = f"MiB {what.removesuffix(' bytes')}", 2.0**20
    elif figure.endswith("_bytes"):
        what, one = f"MB {what.removesuffix(' bytes')}", 1e6
    return f"{_number(value / one)} of {_number(requested / one)} {what}"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 1000 else f"{value:.4g}"
