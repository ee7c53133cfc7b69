"""When to stop a load, as it is written: ``stop_when="ram_used_percent>95"``."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import NamedTuple

from pytest_twin.model.error_text import shown
from pytest_twin.stressors.supervisor.stop_conditions import HOLDS

_CONDITION = re.compile(r"\s*(\w{1,100})\s*([<>]=?)\s*(-?\d{1,15}(?:\.\d{1,9})?)\s*", re.ASCII)
MOST = 20
SCHEMA = {"type": ["string", "array"], "items": {"type": "string"}}


class Condition(NamedTuple):
    """A column, a comparison of `pytest_twin.stressors.supervisor.stop_conditions.HOLDS`, and a number."""

    column: str
    comparison: str
    limit: float


def conditions(raw: object) -> tuple[Condition, ...]:
    """Read one condition, or a list of which the first that is met counts.

    Raises:
        ValueError: It is none.
    """
    texts: Sequence[object] = raw if isinstance(raw, list | tuple) else [raw]
    if len(texts) > MOST:
        raise ValueError(f"has more than {MOST} conditions")
    return tuple(_condition(text) for text in texts)


def _condition(raw: object) -> Condition:
    found = _CONDITION.fullmatch(raw) if isinstance(raw, str) else None
    if not found or found[2] not in HOLDS or not math.isfinite(float(found[3])):
        raise ValueError(f'{shown(raw)} is no condition on a column of samples, such as "ram_used_percent>95"')
    return Condition(found[1], found[2], float(found[3]))
