"""Read the CSV files of a run with the standard library, a piece at a time: a run may have a million of rows."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Container, Iterable, Iterator, Sequence
from operator import itemgetter
from typing import IO, TYPE_CHECKING

from pytest_twin._system.append_file import LONGEST_ROW
from pytest_twin._system.stdlib import os
from pytest_twin.model.csv_text import records, rows
from pytest_twin.run_folder.rotation import GZIP, open_segment

if TYPE_CHECKING:
    import re
    from pathlib import Path

ELAPSED = "elapsed_s"
PIECE = 1 << 18


def whole_lines(file: IO[bytes]) -> Iterator[str]:
    """Yield the text of a file in pieces of whole lines; a last line without an end is left out."""
    while piece := file.read(PIECE) + file.readline():
        yield piece[: piece.rfind(b"\n") + 1].decode(errors="replace")


def read_cells(path: Path, without: re.Pattern[str] | None = None) -> Iterator[tuple[str, list[str]]]:
    """Yield the whole lines of a table, each with its cells: its header, and the rows that have as many cells.

    Args:
        path: The table; where there is no such file, nothing is yielded.
        without: Matches lines to leave out.

    Raises:
        OSError: The file cannot be read.
        ValueError: The file is not CSV.
    """
    if not path.is_file():  # a pipe might never end
        return
    width = 0
    with path.open("rb") as file:
        for text in whole_lines(file):
            kept = text if without is None else without.sub("", text)
            is_plain = '"' not in kept and "\r" not in kept
            for line in kept.split("\n"):
                if is_plain or ('"' not in line and "\r" not in line):
                    cells = line.split(",")
                else:
                    cells = next(iter(rows(line)), [])
                width = width or len(cells)
                if len(cells) == width and line:
                    yield line, cells


def read_rows(path: Path, without: re.Pattern[str] | None = None) -> Iterator[dict[str, str]]:
    """Yield the rows of `read_cells` by column."""
    table = read_cells(path, without)
    _, names = next(table, ("", []))
    for _, cells in table:
        yield dict(zip(names, cells, strict=True))


def read_rows_with(path: Path, column: str, values: Container[str]) -> Iterator[dict[str, str]]:
    """Yield the rows with one of these values in a column: to pass over a row takes a third of the time to yield it.

    Raises:
        ValueError: There is no such column.
    """
    table = read_cells(path)
    _, names = next(table, ("", [column]))
    place = _place_of(column, names)
    for _, cells in table:
        if cells[place] in values:
            yield dict(zip(names, cells, strict=True))


def read_columns(path: Path, columns: Sequence[str]) -> Iterator[Sequence[str]]:
    """Yield the cells of some columns, at least two, of each row.

    Raises:
        ValueError: There is no such column.
    """
    table = read_cells(path)
    _, names = next(table, ("", columns))
    pick = itemgetter(*[_place_of(column, names) for column in columns])
    for _, cells in table:
        yield pick(cells)


def _place_of(column: str, names: Sequence[str]) -> int:
    if column not in names:
        raise ValueError(f"has no column {column}")
    return names.index(column)


class SampledColumn:
    """One column of a dataset.

    Attributes:
        times: The times of its samples, in seconds since the run began.
        cells: The values, as they are written; empty where the dataset has no such column.
    """

    def __init__(self, times: Sequence[float], cells: Sequence[str]) -> None:
        self.times, self.cells = times, cells

    @classmethod
    def read(cls, files: Iterable[IO[bytes]], column: str) -> SampledColumn:
        """Read the files of a dataset, oldest first; a torn last line is left out.

        Raises:
            ValueError: A line has no time.
        """
        times, found = array("d"), list[str]()
        for file in files:
            heading, end, _ = file.readline().decode(errors="replace").partition("\n")
            if not end:
                continue
            names = heading.split(",")
            time = names.index(ELAPSED)
            place = names.index(column) if column in names else len(names)
            splits = max(time, place) + 1
            for text in whole_lines(file):
                for line in text.split("\n")[:-1]:
                    if line != heading:
                        cells = line.split(",", splits)
                        times.append(float(cells[time]))
                        found.append(cells[place] if place < len(cells) else "")
        return cls(times, found)

    def peak(self, began: float, ended: float) -> str | None:
        """Return the highest value from one time to another, as it is written; empty where there are only empty cells.

        None is returned where there is no sample.
        """
        first = bisect_left(self.times, began)
        inside = self.cells[first : bisect_right(self.times, ended, lo=first)]
        return max(filter(None, inside), key=float, default="") if inside else None


def count_rows(files: Iterable[IO[bytes]]) -> int:
    """Return the number of whole rows in the files of a table, their headings not counted."""
    return sum(max(0, file.read().count(b"\n") - 1) for file in files)


def last_row(path: Path) -> dict[str, str]:
    """Return the last whole row of a CSV file, by column; empty where there is none.

    Of a long file only the end is read, unless it is compressed.

    Raises:
        OSError: The file cannot be read.
        EOFError: The file is compressed and torn.
        ValueError: The file is not CSV.
    """
    with open_segment(path) as file:
        heading = last = file.readline()
        if not path.name.endswith(GZIP):
            file.seek(max(len(heading), file.seek(0, os.SEEK_END) - LONGEST_ROW))
        for line in file:
            last = line if line.endswith(b"\n") else last
    found = records((heading + last).decode(errors="replace")) if last is not heading else []
    return found[0] if found else {}
