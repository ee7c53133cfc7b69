"""Continue the clock of an earlier recording, for one that appends to its files."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from pytest_twin.model.clock import Clock
from pytest_twin.run_folder.csv_rows import last_row
from pytest_twin.run_folder.layout import ANNOTATIONS, DATASET
from pytest_twin.run_folder.rotation import PARQUET, segments

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_twin.run_folder.folder import RunFolder

TIME_COLUMNS = ("timestamp", "elapsed_s")


def continue_clock(clock: Clock, folder: RunFolder) -> Clock:
    """Return a clock that goes on from the last row of a run; the calendar tells how long ago that was.

    Args:
        clock: A clock that begins now; it is returned as it is where the run has no row.
        folder: The folder of the run.
    """
    last = max(_last_times(folder), default=None)
    if last is None:
        return clock
    elapsed_s, stamp = last
    passed_s = max(0.0, clock.epoch - stamp)  # the calendar may have been set back
    return Clock(clock.began - elapsed_s - passed_s, clock.epoch - elapsed_s - passed_s)


def _last_times(folder: RunFolder) -> Iterator[tuple[float, float]]:
    """Yield the elapsed seconds of the last sample and of the last event, each with its seconds since 1970."""
    for files in (reversed(segments(folder / DATASET)), [folder / ANNOTATIONS]):
        for path in files:
            try:
                stamp, elapsed = _last_parquet_row(path) if path.suffix == PARQUET else _last_csv_row(path)
                last = float(elapsed), datetime.fromisoformat(stamp).timestamp()
            except (OSError, EOFError, ImportError, ValueError, ArithmeticError):  # no whole row, or a foreign file
                continue
            if math.isfinite(last[0]):
                yield last
                break


def _last_csv_row(path: Path) -> tuple[str, str]:
    """Return the times of the last whole row of a CSV file; empty where there is none."""
    last = last_row(path)
    return last.get(TIME_COLUMNS[0], ""), last.get(TIME_COLUMNS[1], "")


def _last_parquet_row(path: Path) -> tuple[str, str]:
    from pyarrow import parquet

    table = parquet.read_table(path, columns=list(TIME_COLUMNS))
    last = table.slice(max(0, table.num_rows - 1)).to_pylist()[0]
    return last[TIME_COLUMNS[0]].isoformat(), str(last[TIME_COLUMNS[1]])
