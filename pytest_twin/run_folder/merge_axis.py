"""Several runs as one: their names, one time axis by the calendar, and ids that no two of them share."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import PurePath

from pytest_twin.model.clock import SAME_RUN_S
from pytest_twin.model.safe_names import safe

Row = dict[str, str]


def host_names(paths: Sequence[PurePath]) -> list[str]:
    """A name for each of these folders: its own, with those that it lies in as far as is needed to tell them apart."""
    for depth in range(1, 1 + max(len(path.parts) for path in paths)):
        names = [safe("-".join(path.parts[-depth:]), "run") for path in paths]
        if len({name.casefold() for name in names}) == len(names):
            return names
    return [f"{name}-{number}" for number, name in enumerate(names, 1)]


class MergeAxis:
    """Seconds since the first of all runs began, for the rows of one of them."""

    def __init__(self, zero: float) -> None:
        """Prepare it.

        Args:
            zero: When the first of all runs began, in seconds since 1970.
        """
        self._zero = zero
        self._epochs: list[float] = []

    def elapsed(self, stamp: str, elapsed: str) -> str:
        """The seconds of a row.

        Its stamp has milliseconds only: whatever else there is of the same run is laid beside its first row.

        Raises:
            ValueError: The row has no time.
        """
        seconds = float(elapsed)
        epoch = epoch_of(stamp, elapsed)
        known = next((each for each in self._epochs if abs(each - epoch) < SAME_RUN_S), None)
        if known is None:
            self._epochs.append(known := epoch)
        return f"{known - self._zero + seconds:.4f}"


def epoch_of(stamp: str, elapsed: str) -> float:
    """When the run of a row began, in seconds since 1970.

    Raises:
        ValueError: The row has no time.
    """
    epoch = datetime.fromisoformat(stamp).timestamp() - float(elapsed)
    if not math.isfinite(epoch):
        raise ValueError(f"{elapsed} is not a time")
    return epoch


def first_epoch(tables: Iterable[tuple[str, Iterable[Row]]]) -> float | None:
    """When the first of the runs began that these rows are of; None if none of them has a time.

    Args:
        tables: The column that has the time of a table, and its rows.
    """
    found = []
    for column, rows in tables:
        for row in rows:
            try:
                found.append(epoch_of(row[column], row["elapsed_s"]))
            except (ValueError, KeyError):
                continue
    return min(found, default=None)


def merged_host_name(name: str, said: str) -> str:
    """What the whole calls a host that a run calls so; empty is the run's own, which has the name of the run."""
    return f"{name}-{said}" if said else name


def shift_rows(rows: Iterable[Row], column: str, axis: MergeAxis, name: str) -> tuple[list[Row], int]:
    """Rows of one run as they stand in the whole; and how many had no time, and are left out.

    Args:
        rows: Of annotations.csv or tests.csv.
        column: Which has the time.
        axis: That of the run.
        name: That of the run, which goes in front of the ids of its events.
    """
    good: list[Row] = []
    lost = 0
    for row in rows:
        try:
            elapsed = axis.elapsed(row[column], row["elapsed_s"])
        except (ValueError, KeyError):
            lost += 1
            continue
        changed = {"elapsed_s": elapsed, "host": merged_host_name(name, row.get("host", ""))}
        if row.get("id"):
            changed["id"] = f"{name}/{row['id']}"
        good.append({**row, **changed})
    return good, lost
