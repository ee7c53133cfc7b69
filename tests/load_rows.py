"""The rows of loads in annotations.csv, as tests ask for them on a machine that others use too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping


def loads_that(event: str, events: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """The rows of the loads with this event; one that others kept from the CPUs has ended too."""
    loads = [dict(row) for row in events if row["target"]]
    is_starved = [row["event"] == "abort" and '"starved: ' in row["detail"] for row in loads]
    told = ("end" if starved else row["event"] for row, starved in zip(loads, is_starved, strict=True))
    return [row for row, each in zip(loads, told, strict=True) if each == event]
