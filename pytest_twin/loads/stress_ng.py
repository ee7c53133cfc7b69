"""Loads that stress-ng applies, which has kinds of its own: ``engine="stress-ng", matrix=2, cache=1``."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from pytest_twin.loads.modifiers import GUARDS, MODIFIERS
from pytest_twin.loads.spec import Load, LoadError, LoadPart
from pytest_twin.model.error_text import shown, suggestion, truncated
from pytest_twin.stressors.kinds import stress_ng
from pytest_twin.stressors.kinds._stress_ng_program import NAME
from pytest_twin.stressors.spec.kind import COUNT

ENGINE = "engine"
MOST_INSTANCES = 1000
INSTANCES = {"type": "integer", "minimum": 1, "maximum": MOST_INSTANCES}
_NAME = re.compile(r"[a-z][a-z0-9-]{0,63}")


def parse_engine_load(keywords: Mapping[str, Any]) -> Load:
    """Parse such a load; an underscore in a keyword stands for a dash in the stressor's name.

    Raises:
        LoadError: With all problems.
    """
    problems: list[tuple[str, str]] = []
    parts, guards = [], {}
    if keywords[ENGINE] != NAME:
        problems.append((ENGINE, f'{shown(keywords[ENGINE])} is not an engine; give "{NAME}"'))
    for keyword, raw in keywords.items():
        try:
            if keyword in GUARDS:
                guards[keyword] = MODIFIERS[keyword].parse(raw)
            elif keyword != ENGINE:
                parts.append(_part(keyword, raw))
        except ValueError as error:
            problems.append((keyword if keyword.isidentifier() else "", str(error)))
    if not parts and not problems:
        problems.append((ENGINE, "needs a stressor, such as matrix=2"))
    if problems:
        raise LoadError(problems)
    return Load(tuple(parts), dict(keywords)).with_guards(**guards)


def _part(keyword: str, raw: object) -> LoadPart:
    name = keyword.replace("_", "-")
    if keyword in MODIFIERS and keyword != "loop":  # also the name of a stressor
        raise ValueError(f"does not apply to loads of {NAME}, which start at full strength")
    if not _NAME.fullmatch(name):
        raise ValueError(f'"{truncated(keyword)}" is not the name of a stressor')
    if isinstance(raw, bool) or not isinstance(raw, int) or not 1 <= raw <= MOST_INSTANCES:
        raise ValueError(f"{shown(raw)} is not a whole number of instances from 1 to {MOST_INSTANCES}")
    return LoadPart(stress_ng.kind(name), str(raw), COUNT, ((0.0, float(raw)),), {"stressor": name})


def stressors_of(load: Load) -> list[str]:
    """Return the names of the stressors of stress-ng in a load."""
    return [part.options["stressor"] for part in load.parts if part.kind.module == stress_ng.MODULE]


def check_stressors(load: Load, known: Collection[str]) -> None:
    """Check that the installed program has all stressors of a load.

    Raises:
        LoadError: It lacks some.
    """
    problems = []
    for name in stressors_of(load):
        if name not in known:
            hint = suggestion(name, known) or f"{NAME} --stressors lists all of them"
            problems.append((name, f"the installed {NAME} has no such stressor; {hint}"))
    if problems:
        raise LoadError(problems)


def check_engine(load: Load) -> None:
    """Check that stress-ng is installed, if a load needs it, and has all stressors of the load.

    Raises:
        LoadError: It is not installed, or lacks some.
    """
    if not stressors_of(load):
        return
    from pytest_twin.stressors.kinds._stress_ng_program import stressors

    try:
        known = stressors()
    except OSError as error:
        raise LoadError([(ENGINE, str(error))]) from None
    check_stressors(load, known)
