"""Loads checked against this machine: what their conditions are about has to be recorded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from pytest_twin._system.stdlib import os
from pytest_twin.loads.parser import parse
from pytest_twin.loads.registry import kinds
from pytest_twin.loads.spec import Load, LoadError
from pytest_twin.loads.stress_ng import ENGINE, check_engine
from pytest_twin.model.error_text import unknown

if TYPE_CHECKING:
    from collections.abc import Sequence


def read_load(keywords: Mapping[str, Any]) -> Load:
    """Read a load from keywords, such as ``{"cpu": "75%", "stop_when": "ram_used_percent>95"}``.

    Raises:
        LoadError: With everything that is wrong.
    """
    load = parse(keywords, kinds())
    check(load)
    return load


def check(load: Load) -> None:
    """See to it that a load can be applied here, as far as that can be known.

    Raises:
        LoadError: It cannot.
    """
    if problems := list(_unknown_columns(load)):
        raise LoadError([("stop_when", problem) for problem in problems])
    check_engine(load)


def demand_a_kind(keywords: Mapping[str, Any], key: str = "") -> None:
    """See to it that keywords ask for a load, and do not only say how it is to be.

    Args:
        keywords: Of one load.
        key: The keyword to tell of.

    Raises:
        LoadError: They ask for none.
    """
    if keywords.keys().isdisjoint({*kinds(), ENGINE}):
        raise LoadError([(key, f"applies nothing; give {', '.join(kinds())}")])


def _unknown_columns(load: Load) -> Iterator[str]:
    """What is wrong with the columns that its conditions name."""
    asked = {condition.column for part in load.parts for condition in part.stop_when}
    for name in sorted(asked - set(_columns()) if asked else ()):
        yield unknown(name, _columns(), "column")


@cache
def _columns() -> Sequence[str]:
    from pytest_twin.telemetry import probes
    from pytest_twin.telemetry.probes import ProbeContext

    found = probes.modules(probes.others())
    return [column.name for column in probes.columns(found, ProbeContext(os.getpid(), per_core=True))]
