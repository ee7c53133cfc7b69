"""Parse the grammar of loads, which marks, fixtures, schedules and the command line share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_twin.loads import stages
from pytest_twin.loads.constraint import KEYWORDS as CONSTRAINT_KEYWORDS
from pytest_twin.loads.constraint import parse_constraint
from pytest_twin.loads.modifiers import FOR_ALL, GUARDS, MODIFIERS
from pytest_twin.loads.spec import Kinds, Load, LoadError, LoadPart
from pytest_twin.model import quantity
from pytest_twin.model.error_text import shown, truncated, unknown
from pytest_twin.model.quantity import Amount
from pytest_twin.stressors.constraint import KEYWORD as CONSTRAIN
from pytest_twin.stressors.spec.kind import COUNT, MAX, Kind


def parse_load(keywords: Mapping[str, Any], kinds: Kinds) -> Load:
    """Parse a load from keywords, such as ``{"cpu": "75%", "ramp": "5s"}``.

    Raises:
        LoadError: With all problems, not only the first.
    """
    if "engine" in keywords:
        from pytest_twin.loads.stress_ng import parse_engine_load

        return parse_engine_load(keywords)
    problems: list[tuple[str, str]] = []
    values: dict[str, Any] = {}
    for name, raw in keywords.items():
        if name not in kinds and name != CONSTRAIN and name not in MODIFIERS:
            problems.append(("", _unknown(name, raw, kinds)))
            continue
        try:
            values[name] = _parse_value(name, raw, kinds)
        except LoadError as error:
            problems += [(f"{name}: {key}" if key else name, problem) for key, problem in error.problems]
        except ValueError as error:
            problems.append((name, str(error)))
    chosen = [name for name in keywords if name in kinds]
    problems += _misplaced(keywords, [kinds[name] for name in chosen])
    parts = []
    for name in (name for name in chosen if name in values):
        try:
            parts.append(_part(kinds[name], str(keywords[name]), values[name], values))
        except ValueError as error:
            problems.append(("stages", f"{name}: {error}"))
    if problems:
        raise LoadError(problems)
    found = [*parts, values.get(CONSTRAIN)]  # last, so that the loads are ready when the tests have less machine
    load = Load(tuple(part for part in found if part is not None), dict(keywords))
    guards = {name: values[name] for name in GUARDS if name in values}
    return load.with_guards(**guards) if guards else load


def _unknown(name: str, raw: object, kinds: Kinds) -> str:
    if name in CONSTRAINT_KEYWORDS:
        written = f"--twin-constrain {name}={truncated(str(raw))} or the mark {CONSTRAIN}"
        return f'"{name}" is a keyword of constraints, not of loads; use {written}'
    return unknown(name, [*kinds, CONSTRAIN, *MODIFIERS], "keyword")


def _parse_value(name: str, raw: object, kinds: Kinds) -> Any:
    if name == CONSTRAIN:
        return parse_constraint(raw)
    return parse_amount(kinds[name], raw) if name in kinds else MODIFIERS[name].parse(raw)


def parse_amount(kind: Kind, raw: object) -> Amount:
    """Parse an amount of this kind of load.

    Raises:
        ValueError: It is malformed, too large, or has another unit; the message states what may be written.
    """
    value, unit = quantity.parse_amount(raw, kind.amounts)
    if unit == COUNT and kind.bare is not None:
        unit, one = kind.bare
        if unit == COUNT and value != int(value):
            raise ValueError(f"{truncated(str(raw))} is not a whole number; give {kind.amounts}")
        if unit == COUNT and value > kind.most:
            raise ValueError(f"{truncated(str(raw))} is too large; give at most {kind.most}")
        value *= one
    if unit not in kind.units:
        raise ValueError(f"{shown(raw)} has no suitable unit; give {kind.amounts}")
    return Amount(value, unit)


def _misplaced(keywords: Mapping[str, Any], chosen: list[Kind]) -> list[tuple[str, str]]:
    """Return the problems with modifiers that no chosen kind has, or that exclude each other."""
    known = {name for kind in chosen for name in kind.modifiers}
    misplaced = [name for name in keywords if name in MODIFIERS and name not in FOR_ALL and name not in known]
    problems = [(name, MODIFIERS[name].help.replace(": ", " only: ")) for name in misplaced]
    if "steps" in keywords and "ramp" not in keywords:
        problems.append(("steps", "needs a ramp: the time over which the steps are taken"))
    if "stages" in keywords and "ramp" in keywords:
        problems.append(("stages", "has its own ramps; leave out ramp, or make it the first stage"))
    if isinstance(keywords.get("stages"), Mapping):
        names = [kind.keyword for kind in chosen]
        problems += [("stages", unknown(str(name), names, "kind")) for name in keywords["stages"] if name not in names]
    return problems


def _part(kind: Kind, text: str, amount: Amount, values: Mapping[str, Any]) -> LoadPart | None:
    """Return the load of one kind, None where its amount is always zero.

    Raises:
        ValueError: The stages do not fit the kind.
    """
    unit, profile = amount.unit, stages.ramp_profile(amount.value, values.get("ramp", 0.0), values.get("steps"))
    if its_stages := stages.stages_of(values.get("stages"), kind.keyword):
        profile, unit = stages.stages_profile(amount, its_stages, lambda raw: parse_amount(kind, raw))
        text = f"{text}, {stages.format_stages(its_stages)}"
        if unit in {MAX, *kind.fixed}:
            raise ValueError(f'"{truncated(text)}" has amounts that cannot change over time')
    if unit != MAX and not any(value for _, value in profile):
        return None
    options = {name: values[name] for name in kind.modifiers if name in values}
    return LoadPart(kind, text, unit, tuple(profile), options)
