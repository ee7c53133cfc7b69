"""The keywords that say how a load is applied, not how much."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_twin.loads import stages
from pytest_twin.loads.stop_conditions import SCHEMA as CONDITION_SCHEMA
from pytest_twin.loads.stop_conditions import conditions
from pytest_twin.model.error_text import shown
from pytest_twin.model.quantity import duration, size
from pytest_twin.stressors.kinds._cpu_methods import METHODS


def _steps(raw: object) -> int:
    if isinstance(raw, bool) or not isinstance(raw, int) or not 1 <= raw <= 10_000:
        raise ValueError(f"{shown(raw)} is not a whole number from 1 to 10000")
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
    """The part of the bytes that is read; the rest is written."""
    name, colon, share = raw.partition(":") if isinstance(raw, str) else ("", "", "")
    if name in _READ_SHARES and not colon:
        return _READ_SHARES[name]
    if name == "mixed" and share.isdecimal() and len(share) <= 3 and int(share) <= 100:
        return int(share) / 100
    raise ValueError(f'{shown(raw)} is no pattern; give "write", "read", "mixed", or "mixed:70" where 70 % is read')


def _access(raw: object) -> str:
    if not isinstance(raw, str) or raw not in {"sequential", "random"}:
        raise ValueError(f'{shown(raw)} is no order of access; give "sequential" or "random"')
    return raw


def _method(raw: object) -> str:
    if not isinstance(raw, str) or raw not in METHODS:
        raise ValueError(f"{shown(raw)} is not one of {', '.join(METHODS)}")
    return raw


@dataclass(frozen=True)
class Modifier:
    """A keyword that says how a load is applied, not how much."""

    read: Callable[[object], Any]
    help: str
    schema: Mapping[str, Any]


_READ_SHARES = {"write": 0.0, "read": 1.0, "mixed": 0.5}
DURATION_SCHEMA = {"type": ["string", "number"]}
MODIFIERS = {
    "ramp": Modifier(duration, "time over which the load grows to its amount", DURATION_SCHEMA),
    "steps": Modifier(_steps, "grow in this number of steps instead of smoothly", {"type": "integer"}),
    "stages": Modifier(
        stages.read,
        "amounts to reach one after another, each linearly over its time: 10s:20%, 30s:80%",
        {"type": ["string", "array"]},
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
    "block": Modifier(size, "disk: bytes per write or read", {"type": "string"}),
    "fsync": Modifier(size, "disk: call fsync after each of this many bytes, such as 16MiB", {"type": "string"}),
    "pause": Modifier(duration, "disk: pause between two blocks of an amount", DURATION_SCHEMA),
    "loop": Modifier(_switch, "disk: write the amount repeatedly", {"type": "boolean"}),
    "huge": Modifier(_switch, "mem: use huge pages", {"type": "boolean"}),
    "directory": Modifier(_directory, "disk, iops: write an unnamed file in this directory", {"type": "string"}),
    "stop_when": Modifier(
        conditions, "stop the load when a sample meets this condition, such as ram_used_percent>95", CONDITION_SCHEMA
    ),
    "strict": Modifier(_switch, "fail if the load achieves less than requested", {"type": "boolean"}),
}
GUARDS = ("stop_when", "strict")
FOR_ALL = ("ramp", "steps", "stages", *GUARDS)
