"""One time axis, host names and event ids for several runs that are merged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import PurePath

from pytest_twin.model.clock import SAME_RUN_S
from pytest_twin.model.safe_names import safe

Row = dict[str, str]


def host_names(paths: Sequence[PurePath]) -> list[str]:
    """Name each run after its folder, with as many parent folders as are needed to make the names unique."""
    for depth in range(1, 1 + max(len(path.parts) for path in paths)):
        names = [safe("-".join(path.parts[-depth:]), "run") for path in paths]
        if len({name.casefold() for name in names}) == len(names):
            return names
    return [f"{name}-{number}" for number, name in enumerate(names, 1)]


class MergeAxis:
    """Converts the times of one run to seconds since the first of all runs began."""

    def __init__(self, zero: float) -> None:
        """Prepare the axis.

        Args:
            zero: Start of the first of all runs, in seconds since 1970.
        """
        self._zero = zero
        self._epochs: list[float] = []

    def elapsed(self, stamp: str, elapsed: str) -> str:
        """Return the elapsed seconds of a row on the common axis.

        A time stamp has milliseconds only, so the first row of a run sets the offset, and its other rows keep their
        distance to that row.

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
    """Return the start of the run of a row, in seconds since 1970.

    Raises:
        ValueError: The row has no time.
    """
    epoch = datetime.fromisoformat(stamp).timestamp() - float(elapsed)
    if not math.isfinite(epoch):
        raise ValueError(f"{elapsed} is not a time")
    return epoch


def first_epoch(tables: Iterable[tuple[str, Iterable[Row]]]) -> float | None:
    """Return the earliest start of the runs of these rows; None if no row has a time.

    Args:
        tables: For each table the name of its time column, and its rows.
    """
    found = []
    for column, rows in tables:
        for row in rows:
            try:
                found.append(epoch_of(row[column], row["elapsed_s"]))
            except (ValueError, KeyError):
                continue
    return min(found, default=None)


def merged_host_name(name: str, host: str) -> str:
    """Return the name of a host in the merged run; the own host of a run is named like the run."""
    return f"{name}-{host}" if host else name


def shift_rows(rows: Iterable[Row], column: str, axis: MergeAxis, name: str) -> tuple[list[Row], int]:
    """Return the rows of one run as they are in the merged run, and the number of rows left out for want of a time.

    Args:
        rows: Rows of annotations.csv or tests.csv.
        column: The time column.
        axis: The axis of the run.
        name: The name of the run, which is put before the ids of its events.
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
