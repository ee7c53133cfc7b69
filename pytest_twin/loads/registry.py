"""Find the installed kinds of load."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from pytest_twin.stressors import find_kinds
from pytest_twin.stressors.constraint import KEYWORD as CONSTRAIN
from pytest_twin.stressors.constraint import TYPE as CONSTRAINT

if TYPE_CHECKING:
    from pytest_twin.stressors.spec.kind import Kind


ENTRY_POINTS = "pytest_twin.stressors"


@cache
def kinds_by_type() -> dict[str, Kind]:
    """Return the kind of each type of load in annotations.csv; of the kinds of this package only."""
    return {kind.type: kind for kind in find_kinds().values()}


@cache
def keyword_of_type() -> dict[str, str]:
    """Return the keyword of each type of load in annotations.csv; of the kinds of this package only."""
    return {name: kind.keyword for name, kind in kinds_by_type().items()}


def load_text(type_: str, target: str) -> str:
    """Return a load or a constraint of annotations.csv as text: ``mem=1GiB``, ``constrain cpu=0.5``."""
    if type_ == CONSTRAINT:
        return f"{CONSTRAIN} {target}"
    return f"{load_keyword(type_)}={target}"


def load_keyword(type_: str) -> str:
    """Return the keyword of a type of load in annotations.csv; a kind of another package comes first."""
    return type_ if type_ in kinds() else keyword_of_type().get(type_, type_)


@cache
def kinds() -> dict[str, Kind]:
    """Return the kinds of load by keyword: those of this package and of the entry-point group `ENTRY_POINTS`."""
    from importlib import import_module
    from importlib.metadata import entry_points

    found = find_kinds()
    for entry in entry_points(group=ENTRY_POINTS):
        kind: Kind = import_module(entry.value).KIND
        found.setdefault(kind.keyword, kind)
    return found
