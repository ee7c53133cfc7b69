"""How fast the CPUs of a machine are, by the scores in its fingerprint."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple, TypeGuard

SPEED = "speed"  # the key of the scores in fingerprint.json
WORK = "bz2 1"  # what is timed; scores of other work are not comparable
MOST = 1e9  # no machine has such a score


class MachineSpeed(NamedTuple):
    """The scores of a machine: MB of fixed data compressed per second of CPU time.

    Attributes:
        single: Of one thread while the others are idle.
        all: Of all threads together, one per allowed CPU; neither a quota nor other load counts.
    """

    single: float
    all: float


def machine_speed(fingerprint: Mapping[str, Any] | None) -> MachineSpeed | None:
    """Return the scores in a fingerprint; None if it has none, as one of an older version."""
    return parse_speed((fingerprint or {}).get(SPEED))


def parse_speed(document: object) -> MachineSpeed | None:
    """Return the scores in a document of `speed_document`; None if they are of other work, or are not scores."""
    if not isinstance(document, dict) or document.get("work") != WORK:
        return None
    single, every = (document.get(name) for name in MachineSpeed._fields)
    return MachineSpeed(float(single), float(every)) if _is_score(single) and _is_score(every) else None


def speed_document(speed: MachineSpeed) -> dict[str, Any]:
    """Return the scores as JSON."""
    return {"work": WORK, "single": round(speed.single, 2), "all": round(speed.all, 2)}


def speed_ratio(there: MachineSpeed, here: MachineSpeed, *, all_threads: bool = False) -> float:
    """Return how many times as fast the other machine is: a second of CPU time there is worth that many here.

    Args:
        there: The scores of the other machine.
        here: The scores of this one.
        all_threads: Compare the machines as a whole, each with all its CPUs busy, instead of one thread.
    """
    return there.all / here.all if all_threads else there.single / here.single


def _is_score(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < MOST
