"""Whether a load got what it asked for."""

from __future__ import annotations

import math

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

STARVED_BELOW = 0.8  # of what was asked


def starved(achieved: Mapping[str, float | str], tolerances: Mapping[str, float] | None = None) -> str:
    """What to say of a load that got much less than it asked for; empty where it did not.

    Args:
        achieved: Its figures; ``asked_X`` says what was asked of ``X``.
        tolerances: How much more of a figure there may be than could be found, where that matters.
    """
    for name, asked in achieved.items():
        figure = name.removeprefix("asked_")
        got = achieved.get(figure, 0.0)
        if figure == name or isinstance(asked, str) or isinstance(got, str):
            continue
        if got + (tolerances or {}).get(figure, 0.0) < STARVED_BELOW * asked:
            percent = math.floor(100 * got / asked + 1e-9)  # never more than what it is judged by
            return f"starved: it got {percent}% of what was asked ({figure} {got:.4g} of {asked:.4g})"
    return ""
