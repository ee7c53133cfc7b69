"""The figures of a test in its reports, as properties, and on the way from a pytest-xdist worker to its controller."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_twin._system.stdlib import json
from pytest_twin.model.attempt_row import interned_property

if TYPE_CHECKING:
    from collections.abc import Iterable

    Properties = list[tuple[str, object]]

OURS = "twin_"  # begins the name of each
PACKED = "twin_packed"


def replace_ours(properties: Properties, ours: Iterable[tuple[str, object]]) -> None:
    """Replace our properties among those of a test or of a report."""
    if properties:
        properties[:] = [pair for pair in properties if not pair[0].startswith(OURS)]
    properties += ours


def pack(properties: Properties) -> None:
    """Make one text of our properties in a report: pytest-xdist needs more time for each value that it sends."""
    ours = [pair for pair in properties if pair[0].startswith(OURS)]
    if ours and ours[0][0] != PACKED:
        replace_ours(properties, [(PACKED, json.dumps(ours))])


def unpack(properties: Properties) -> None:
    """Restore them, and share equal values among tests: pytest keeps all reports until its end."""
    for at, (name, text) in enumerate(properties):
        if name == PACKED:
            properties[at:] = [interned_property(*each) for each in json.loads(str(text))] + properties[at + 1 :]
            return
