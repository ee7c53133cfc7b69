"""The clock of a recording that goes on behind the rows of an earlier one."""

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

TIMES = ("timestamp", "elapsed_s")


def continued(clock: Clock, folder: RunFolder) -> Clock:
    """A clock whose seconds go on from the last row that is there, by what the calendar says has passed since.

    Args:
        clock: One that begins now.
        folder: The run that is there; nothing changes where it has no row.
    """
    last = max(_last_times(folder), default=None)
    if last is None:
        return clock
    elapsed_s, stamp = last
    passed_s = max(0.0, clock.epoch - stamp)  # the calendar may have been put back: seconds never are
    return Clock(clock.began - elapsed_s - passed_s, clock.epoch - elapsed_s - passed_s)


def _last_times(folder: RunFolder) -> Iterator[tuple[float, float]]:
    """The seconds of the last sample and of the last event, each with its time by the calendar since 1970."""
    for files in (reversed(segments(folder / DATASET)), [folder / ANNOTATIONS]):
        for path in files:
            try:
                stamp, elapsed = _parquet(path) if path.suffix == PARQUET else _csv(path)
                last = float(elapsed), datetime.fromisoformat(stamp).timestamp()
            except (OSError, EOFError, ImportError, ValueError, ArithmeticError):  # no whole row, or none of ours
                continue
            if math.isfinite(last[0]):
                yield last
                break


def _csv(path: Path) -> tuple[str, str]:
    """Return the time and the seconds of the last whole row of a file; empty where there is none."""
    last = last_row(path)
    return last.get(TIMES[0], ""), last.get(TIMES[1], "")


def _parquet(path: Path) -> tuple[str, str]:
    from pyarrow import parquet

    table = parquet.read_table(path, columns=list(TIMES))
    last = table.slice(max(0, table.num_rows - 1)).to_pylist()[0]
    return last[TIMES[0]].isoformat(), str(last[TIMES[1]])
