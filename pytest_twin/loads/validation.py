"""Parse loads and check that this machine can apply them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any

from pytest_twin._system.stdlib import os, sys
from pytest_twin.loads.constraint import ConstraintError, excess, parse_constraint
from pytest_twin.loads.parser import parse_load
from pytest_twin.loads.registry import kinds
from pytest_twin.loads.spec import Load, LoadError
from pytest_twin.loads.stress_ng import ENGINE, check_engine
from pytest_twin.model.error_text import unknown
from pytest_twin.model.quantity import format_bytes
from pytest_twin.settings.options import SettingsError, ini_name
from pytest_twin.stressors.constraint import KEYWORD as CONSTRAIN
from pytest_twin.stressors.constraint.enforcer import NO_LINUX
from pytest_twin.stressors.spec.kind import BYTES
from pytest_twin.stressors.system import capacity

if TYPE_CHECKING:
    from collections.abc import Sequence

MEMORY = "mem"  # the keyword of a load of it
CAN_CONSTRAIN = sys.platform == "linux"


def read_load(keywords: Mapping[str, Any]) -> Load:
    """Parse and check a load from keywords, such as ``{"cpu": "75%", "stop_when": "ram_used_percent>95"}``.

    Raises:
        LoadError: With all problems.
    """
    load = parse_load(keywords, kinds())
    check_load(load)
    return load


def read_constraint(raw: object, *, must_take_away: bool = False) -> Load:
    """Parse a constraint, such as ``{"cpu": 0.5}`` or ``cpu=0.5 mem=2GiB``, if this platform can enforce any.

    Args:
        raw: The constraint as written.
        must_take_away: Whether it is an error that it allows more than this machine has.

    Raises:
        ConstraintError: With all problems, each with the keyword within the constraint.
    """
    load = Load((parse_constraint(raw),), {CONSTRAIN: raw})
    if not CAN_CONSTRAIN:
        raise ConstraintError([("", NO_LINUX)])
    if must_take_away and (problems := list(excess(load.parts[0]))):
        raise ConstraintError(problems)
    return load


def check_load(load: Load) -> None:
    """Check that a load can be applied here: its engine is installed, and its conditions name recorded columns.

    A constraint needs a platform that can constrain processes, and an amount of memory a machine that has so much.

    Raises:
        LoadError: It cannot be applied.
    """
    if problems := list(_unknown_columns(load)):
        raise LoadError([("stop_when", problem) for problem in problems])
    if not CAN_CONSTRAIN and any(part.is_constraint for part in load.parts):
        raise LoadError([(CONSTRAIN, NO_LINUX)])
    if problems := list(_more_than_memory(load)):
        raise LoadError([(MEMORY, problem) for problem in problems])
    check_engine(load)


def require_kind(keywords: Mapping[str, Any], key: str = "") -> None:
    """Check that keywords have an amount of at least one kind, and not only modifiers.

    Args:
        keywords: The keywords of one load.
        key: The keyword to name in the error.

    Raises:
        LoadError: They have none.
    """
    if keywords.keys().isdisjoint({*kinds(), ENGINE}):
        raise LoadError([(key, f"applies no load; give {', '.join(kinds())}")])


def _unknown_columns(load: Load) -> Iterator[str]:
    """Yield a problem for each column that the conditions of a load name and that is not recorded."""
    named = {condition.column for part in load.parts for condition in part.stop_when}
    for name in sorted(named - set(_columns()) if named else ()):
        yield unknown(name, _columns(), "column")


def _more_than_memory(load: Load) -> Iterator[str]:
    """Yield a problem for each amount that memory and swap together do not have."""
    for part in load.parts:
        if part.kind.keyword != MEMORY or part.unit != BYTES:
            continue
        usable, swap = capacity.usable_memory(), capacity.total_swap()
        if usable is not None and part.peak > usable + swap:
            has = f"{format_bytes(usable)} of memory, {f'{format_bytes(swap)} of' if swap else 'no'} swap"
            amount = format_bytes(part.peak)
            yield f'{amount} is more than this machine has ({has}); give less, or a share such as "50%"'


@cache
def _columns() -> Sequence[str]:
    from pytest_twin.telemetry import probes
    from pytest_twin.telemetry.probes import ProbeContext

    found = probes.find_modules(probes.external_module_names())
    return [column.name for column in probes.all_columns(found, ProbeContext(os.getpid(), per_core=True))]


def read_stress(keywords: Mapping[str, Any] | None, name: str = ini_name("stress")) -> Load | None:
    """Parse and check the load that is applied around every test; None is no load.

    Args:
        keywords: The keywords of the load.
        name: The name of the option, for the error message.

    Raises:
        SettingsError: It is not a load, cannot be applied here, or every amount is zero.
    """
    if not keywords:
        return None
    try:
        load = read_load(keywords)
        require_kind(keywords)
    except LoadError as error:
        raise SettingsError(f"{name}: {error}") from None
    if not load:
        raise SettingsError(f"{name}: {load} applies nothing; give an amount above 0 such as cpu=8")
    return load


def read_limit(keywords: Mapping[str, Any] | None, name: str = ini_name("limit")) -> Load | None:
    """Parse the maximum total load; None is no limit.

    Args:
        keywords: The keywords of the load.
        name: The name of the option, for the error message.

    Raises:
        SettingsError: It is not a load, or every amount is zero.
    """
    if not keywords:
        return None
    try:
        limit = parse_load(keywords, kinds())
    except LoadError as error:
        raise SettingsError(f"{name}: {error}") from None
    if any(part.is_constraint for part in limit.parts):
        raise SettingsError(f"{name}: {limit} limits loads, not tests; {CONSTRAIN} has no limit")
    if not limit:
        raise SettingsError(f"{name}: {limit} limits nothing; give an amount above 0 such as cpu=100%")
    return limit
