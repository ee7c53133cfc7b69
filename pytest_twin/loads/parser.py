"""Parse a load from keywords."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pytest_twin.loads import stages
from pytest_twin.loads.modifiers import FOR_ALL, GUARDS, MODIFIERS
from pytest_twin.loads.spec import Kinds, Load, LoadError, LoadPart
from pytest_twin.model.error_text import shown, truncated, unknown
from pytest_twin.model.quantity import Amount, amount
from pytest_twin.stressors.spec.kind import COUNT, MAX, Kind


def parse(keywords: Mapping[str, Any], kinds: Kinds) -> Load:
    """Read a load from keywords, such as ``{"cpu": "75%", "ramp": "5s"}``.

    Raises:
        LoadError: With everything that is wrong, not only the first.
    """
    if "engine" in keywords:
        from pytest_twin.loads.stress_ng import of_engine

        return of_engine(keywords)
    problems: list[tuple[str, str]] = []
    values: dict[str, Any] = {}
    for name, raw in keywords.items():
        try:
            if name in kinds:
                values[name] = read_amount(kinds[name], raw)
            elif name in MODIFIERS:
                values[name] = MODIFIERS[name].read(raw)
            else:
                problems.append(("", unknown(name, [*kinds, *MODIFIERS], "keyword")))
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
    load = Load(tuple(part for part in parts if part is not None), dict(keywords))
    guards = {name: values[name] for name in GUARDS if name in values}
    return load.guarded(**guards) if guards else load


def read_amount(kind: Kind, raw: object) -> Amount:
    """Read an amount of this kind of load.

    Raises:
        ValueError: It is none; the message says what may be written.
    """
    try:
        value, unit = amount(raw)
    except ValueError as error:
        text = str(error)
        raise ValueError(f"{text}; give {kind.amounts}" if text.endswith("is not an amount") else text) from None
    if unit == COUNT and kind.bare is not None:
        unit, one = kind.bare
        if unit == COUNT and value != int(value):
            raise ValueError(f"{truncated(str(raw))} is not a whole number; give {kind.amounts}")
        if unit == COUNT and value > kind.most:
            raise ValueError(f"{truncated(str(raw))} is too many; give at most {kind.most}")
        value *= one
    if unit not in kind.units:
        raise ValueError(f"{shown(raw)} has no unit that fits; give {kind.amounts}")
    return Amount(value, unit)


def _misplaced(keywords: Mapping[str, Any], chosen: list[Kind]) -> list[tuple[str, str]]:
    """Modifiers that nothing here understands."""
    understood = {name for kind in chosen for name in kind.modifiers}
    strangers = [name for name in keywords if name in MODIFIERS and name not in FOR_ALL and name not in understood]
    problems = [(name, MODIFIERS[name].help.replace(": ", " only: ")) for name in strangers]
    if "steps" in keywords and "ramp" not in keywords:
        problems.append(("steps", "needs a ramp, the time in which to take them"))
    if "stages" in keywords and "ramp" in keywords:
        problems.append(("stages", "has its own ramps; leave out ramp, or make it the first stage"))
    return problems


def _part(kind: Kind, text: str, asked: Amount, values: Mapping[str, Any]) -> LoadPart | None:
    unit, profile = asked.unit, stages.grown(asked.value, values.get("ramp", 0.0), values.get("steps"))
    if "stages" in values:
        profile, unit = stages.staged(asked, values["stages"], lambda raw: read_amount(kind, raw))
        text = f"{text}, {stages.said(values['stages'])}"
        if unit in {MAX, *kind.fixed}:
            raise ValueError(f'"{truncated(text)}" has amounts that cannot change over time')
    if unit != MAX and not any(value for _, value in profile):
        return None
    options = {name: values[name] for name in kind.modifiers if name in values}
    return LoadPart(kind, text, unit, tuple(profile), options)
