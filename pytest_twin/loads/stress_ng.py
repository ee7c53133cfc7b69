"""Loads whose kinds are the stressors of another program: ``engine="stress-ng", matrix=2, cache=1``."""

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


def of_engine(keywords: Mapping[str, Any]) -> Load:
    """Read such a load; an underscore in a keyword is the dash of the stressor's name.

    Raises:
        LoadError: With everything that is wrong.
    """
    problems: list[tuple[str, str]] = []
    parts, guards = [], {}
    if keywords[ENGINE] != NAME:
        problems.append((ENGINE, f'{shown(keywords[ENGINE])} is none; give "{NAME}"'))
    for keyword, raw in keywords.items():
        try:
            if keyword in GUARDS:
                guards[keyword] = MODIFIERS[keyword].read(raw)
            elif keyword != ENGINE:
                parts.append(_part(keyword, raw))
        except ValueError as error:
            problems.append((keyword if keyword.isidentifier() else "", str(error)))
    if not parts and not problems:
        problems.append((ENGINE, "needs a stressor, such as matrix=2"))
    if problems:
        raise LoadError(problems)
    return Load(tuple(parts), dict(keywords)).guarded(**guards)


def _part(keyword: str, raw: object) -> LoadPart:
    name = keyword.replace("_", "-")
    if keyword in MODIFIERS and keyword != "loop":  # which is a stressor too
        raise ValueError(f"is not for loads of {NAME}, which are all there at once")
    if not _NAME.fullmatch(name):
        raise ValueError(f'"{truncated(keyword)}" is no name of a stressor')
    if isinstance(raw, bool) or not isinstance(raw, int) or not 1 <= raw <= MOST_INSTANCES:
        raise ValueError(f"{shown(raw)} is not a whole number of instances from 1 to {MOST_INSTANCES}")
    return LoadPart(stress_ng.kind(name), str(raw), COUNT, ((0.0, float(raw)),), {"stressor": name})


def stressors_of(load: Load) -> list[str]:
    """The stressors of another program that a load asks for."""
    return [part.options["stressor"] for part in load.parts if part.kind.module == stress_ng.MODULE]


def check_known(load: Load, known: Collection[str]) -> None:
    """See to it that the program that is installed has all stressors that a load asks for.

    Raises:
        LoadError: It has not.
    """
    problems = []
    for name in stressors_of(load):
        if name not in known:
            hint = suggestion(name, known) or f"{NAME} --stressors lists those there are"
            problems.append((name, f"the {NAME} here has no such stressor; {hint}"))
    if problems:
        raise LoadError(problems)


def check_engine(load: Load) -> None:
    """See to it that a load can be applied here, as far as that can be known.

    Raises:
        LoadError: It cannot; the program is not installed, or does not have a stressor.
    """
    if not stressors_of(load):
        return
    from pytest_twin.stressors.kinds._stress_ng_program import stressors

    try:
        known = stressors()
    except OSError as error:
        raise LoadError([(ENGINE, str(error))]) from None
    check_known(load, known)
