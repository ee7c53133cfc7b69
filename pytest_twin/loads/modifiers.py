"""The modifiers: keywords that state how a load is applied, not how much of it."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pytest_twin.loads import stages
from pytest_twin.model.error_text import shown
from pytest_twin.model.quantity import parse_duration, parse_size
from pytest_twin.stressors.kinds._cpu_methods import METHODS
from pytest_twin.stressors.supervisor.stop_conditions import COMPARISONS

MAX_STEPS = 10_000
MAX_CONDITIONS = 20
_CONDITION = re.compile(r"\s*(\w{1,100})\s*([<>]=?)\s*(-?\d{1,15}(?:\.\d{1,9})?)\s*", re.ASCII)
_READ_SHARES = {"write": 0.0, "read": 1.0, "mixed": 0.5}


class StopCondition(NamedTuple):
    """A condition on a sample, such as ``ram_used_percent>95``; the load is stopped when it holds.

    Attributes:
        column: The name of a column of the dataset.
        comparison: One of `pytest_twin.stressors.supervisor.stop_conditions.COMPARISONS`.
        limit: The number that the column is compared with.
    """

    column: str
    comparison: str
    limit: float


def parse_conditions(raw: object) -> tuple[StopCondition, ...]:
    """Parse a condition, or a list of them of which the first that holds stops the load.

    Raises:
        ValueError: One of them is malformed, or there are too many.
    """
    texts: Sequence[object] = raw if isinstance(raw, list | tuple) else [raw]
    if len(texts) > MAX_CONDITIONS:
        raise ValueError(f"has more than {MAX_CONDITIONS} conditions")
    return tuple(map(_condition, texts))


def _condition(raw: object) -> StopCondition:
    found = _CONDITION.fullmatch(raw) if isinstance(raw, str) else None
    if not found or found[2] not in COMPARISONS or not math.isfinite(float(found[3])):
        raise ValueError(f'{shown(raw)} is not a condition on a column, such as "ram_used_percent>95"')
    return StopCondition(found[1], found[2], float(found[3]))


def _steps(raw: object) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or not 1 <= raw <= MAX_STEPS:
        raise ValueError(f"{shown(raw)} is not a whole number from 1 to {MAX_STEPS}")
    return raw


def _switch(raw: object) -> bool:
    if not isinstance(raw, bool):
        raise ValueError(f"{shown(raw)} is not true or false")
    return raw


def _directory(raw: object) -> str:
    if not isinstance(raw, str) or not raw or "\0" in raw:
        raise ValueError(f"{shown(raw)} is not the name of a directory")
    return raw


def _pattern(raw: object) -> float:
    """Return the share of the bytes that is read; the rest is written."""
    name, colon, share = raw.partition(":") if isinstance(raw, str) else ("", "", "")
    if name in _READ_SHARES and not colon:
        return _READ_SHARES[name]
    if name == "mixed" and share.isdecimal() and len(share) <= 3 and int(share) <= 100:
        return int(share) / 100
    raise ValueError(f'{shown(raw)} is not a pattern; give "write", "read", "mixed", or "mixed:70" where 70 % is read')


def _access(raw: object) -> str:
    if not isinstance(raw, str) or raw not in {"sequential", "random"}:
        raise ValueError(f'{shown(raw)} is not an access order; give "sequential" or "random"')
    return raw


def _method(raw: object) -> str:
    if not isinstance(raw, str) or raw not in METHODS:
        raise ValueError(f"{shown(raw)} is not one of {', '.join(METHODS)}")
    return raw


@dataclass(frozen=True)
class Modifier:
    """A keyword that states how a load is applied.

    Attributes:
        parse: Returns the value for the stressor, or raises `ValueError`.
        help: The kinds of load that it applies to, before a colon, and what it does.
        schema: The JSON Schema of its value.
    """

    parse: Callable[[object], Any]
    help: str
    schema: Mapping[str, Any]


DURATION_SCHEMA = {"type": ["string", "number"]}
MODIFIERS = {
    "ramp": Modifier(parse_duration, "time over which the load grows to its amount", DURATION_SCHEMA),
    "steps": Modifier(_steps, "grow in this number of steps instead of smoothly", {"type": "integer"}),
    "stages": Modifier(
        stages.parse_all_stages,
        "amounts to reach one after another, each linearly over its time: 10s:20%, 30s:80%",
        {"type": ["string", "array", "object"]},
    ),
    "method": Modifier(
        _method, f"cpu, cpu_total: the computation, one of {', '.join(METHODS)}", {"enum": list(METHODS)}
    ),
    "pattern": Modifier(
        _pattern,
        "disk: write, read, mixed (half of each), or mixed:70 (70 % is read)",
        {"type": "string"},
    ),
    "access": Modifier(
        _access, "disk: the order of access, sequential or random", {"type": "string", "enum": ["sequential", "random"]}
    ),
    "block": Modifier(parse_size, "disk: bytes per write or read", {"type": "string"}),
    "fsync": Modifier(parse_size, "disk: call fsync after each of this many bytes, such as 16MiB", {"type": "string"}),
    "pause": Modifier(parse_duration, "disk: pause between two blocks of an amount", DURATION_SCHEMA),
    "loop": Modifier(_switch, "disk: write the amount repeatedly", {"type": "boolean"}),
    "huge": Modifier(_switch, "mem: use huge pages", {"type": "boolean"}),
    "directory": Modifier(_directory, "disk, iops: write an unnamed file in this directory", {"type": "string"}),
    "stop_when": Modifier(
        parse_conditions,
        "stop the load when a sample meets this condition, such as ram_used_percent>95",
        {"type": ["string", "array"], "items": {"type": "string"}},
    ),
    "strict": Modifier(_switch, "fail if the load achieves less than requested", {"type": "boolean"}),
}
GUARDS = ("stop_when", "strict")
FOR_ALL = ("ramp", "steps", "stages", *GUARDS)
