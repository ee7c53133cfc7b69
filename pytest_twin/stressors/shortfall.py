"""Whether a load got what it asked for."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

STARVED_BELOW = 0.8  # of what was asked
STARVED_AFTER_S = 1.0  # a shorter load has no steady share to judge by


def starved(achieved: Mapping[str, float | str]) -> str:
    """What to say of a load that got much less than it asked for; empty where it did not.

    Args:
        achieved: Its figures; ``asked_X`` says what was asked of ``X``.
    """
    for name, asked in achieved.items():
        figure = name.removeprefix("asked_")
        got = achieved.get(figure, 0.0)
        if figure == name or isinstance(asked, str) or isinstance(got, str):
            continue
        if got < STARVED_BELOW * asked:
            return f"starved: it got {got / asked:.0%} of what was asked ({figure} {got:.4g} of {asked:.4g})"
    return ""
