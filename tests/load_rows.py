"""The rows of loads in annotations.csv, as tests ask for them on a machine that others use too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

# in the reasons of such loads
KEPT_FROM_THE_CPUS = (
    '"starved: ',
    '"ended before it was ready',
    " has not reported for ",
    " has made no progress for ",
)


def loads_that(event: str, events: Iterable[Mapping[str, str]]) -> list[dict[str, str]]:
    """The rows of the loads with this event; one that others kept from the CPUs has ended too."""
    loads = [dict(row) for row in events if row["target"]]
    told = (
        "end" if row["event"] == "abort" and is_kept_from_the_cpus(row["detail"]) else row["event"] for row in loads
    )
    return [row for row, each in zip(loads, told, strict=True) if each == event]


def is_kept_from_the_cpus(detail: str) -> bool:
    """Whether that is the reason in the detail of a row."""
    return any(reason in detail for reason in KEPT_FROM_THE_CPUS)
