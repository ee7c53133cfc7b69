"""What began in a run and did not end."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from pytest_twin.model import event


def unended(annotations: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """The starts that have no end, in the order in which they were."""
    found: dict[str, dict[str, str]] = {}
    for row in annotations:
        if row["event"] == event.START:
            found[row["id"]] = dict(row)
        else:
            found.pop(row["id"], None)
    return list(found.values())
