"""Find the installed kinds of load."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from pytest_twin.stressors import find_kinds

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
