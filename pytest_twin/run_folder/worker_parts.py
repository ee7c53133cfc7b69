"""The parts of a table that the workers of pytest-xdist write, as one table in the order of time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_twin.model.csv_text import header
from pytest_twin.run_folder.csv_rows import ELAPSED, read_cells
from pytest_twin.run_folder.tables import table_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path

    Time = tuple[str, float]

STAMPS = ("timestamp", "start")  # the columns with the time of a row by the calendar


def merged_text(paths: Iterable[Path], columns: Sequence[str]) -> str:
    """Return the text of one table with all whole rows of these files in time order; empty where there is no row.

    The lines stay as they are: a run has three of each test, and to read and write their cells takes much longer.

    Raises:
        OSError: A file cannot be read.
        ValueError: A file is not CSV.
    """
    times: dict[str, Time] = {}  # of each line; one that appears twice is one: who merged may have been killed
    for path in paths:
        table = read_cells(path)
        _, names = next(table, ("", []))
        time_of = _time_reader(names)
        if tuple(names) == tuple(columns):
            times.update((line, time_of(cells)) for line, cells in table)
        else:
            for _, cells in table:
                row = dict(zip(names, cells, strict=True))
                times[table_text(columns, [row]).partition("\n")[2].rstrip("\n")] = time_of(cells)
    return header(columns) + "\n".join([*sorted(times, key=times.__getitem__), ""]) if times else ""


def _time_reader(names: Sequence[str]) -> Callable[[Sequence[str]], Time]:
    """Return a function that returns the time of a row with these columns, by the calendar first.

    In old files, seconds of an appended recording begin anew.
    """
    stamp = next((names.index(name) for name in STAMPS if name in names), None)
    elapsed = names.index(ELAPSED) if ELAPSED in names else None

    def time_of(cells: Sequence[str]) -> Time:
        return "" if stamp is None else cells[stamp], 0.0 if elapsed is None else float(cells[elapsed] or 0)

    return time_of
