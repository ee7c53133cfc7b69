"""The kinds of load that are installed, by keyword."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from pytest_twin.stressors import find_kinds

if TYPE_CHECKING:
    from pytest_twin.stressors.spec.kind import Kind


ENTRY_POINTS = "pytest_twin.stressors"


@cache
def keywords() -> dict[str, str]:
    """By the type of a load, which its rows have, the keyword that asks for it; of our own stressors."""
    return {kind.type: kind.keyword for kind in find_kinds().values()}


@cache
def kinds() -> dict[str, Kind]:
    """The stressors there are, by keyword: ours, and those that other packages offer; looked for once."""
    from importlib import import_module
    from importlib.metadata import entry_points

    found = find_kinds()
    for entry in entry_points(group=ENTRY_POINTS):
        kind: Kind = import_module(entry.value).KIND
        found.setdefault(kind.keyword, kind)
    return found
