"""Read the tables of a run to merge, and copy its samples to another folder."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from io import TextIOWrapper
from typing import TYPE_CHECKING, NamedTuple

from pytest_twin.model.csv_text import rows as cells_of
from pytest_twin.model.event import HOST
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import DATASET

if TYPE_CHECKING:
    from pytest_twin._system.private_files import PrivateDirectory
    from pytest_twin.run_folder.merge_axis import MergeAxis, Row


ADVICE = "merge the runs before you convert them"


class ParsedTable(NamedTuple):
    """The readable part of a table.

    Attributes:
        columns: Its columns.
        rows: Its rows, by column.
        damaged: The number of lines that could not be read.
    """

    columns: Sequence[str] = ()
    rows: Sequence[dict[str, str]] = ()
    damaged: int = 0


def parse_lenient(text: str) -> ParsedTable:
    """Return the whole rows of a table, and count the others; a last line without an end is damaged.

    Raises:
        ValueError: The text is not CSV.
    """
    whole, _, torn = text.rpartition("\n")
    names, *lines = cells_of(whole) or [[]]
    found = [dict(zip(names, line, strict=True)) for line in lines if len(line) == len(names)]
    return ParsedTable(names, found, len(lines) - len(found) + bool(torn))


def read_table(folder: RunFolder, name: str) -> ParsedTable:
    """Return the rows of a table, including those of workers that nobody has merged."""
    parts = [
        parse_or_damaged(text) for path in (folder / name, *folder.parts(name)) if (text := folder.text(path.name))
    ]
    rows = [row for found in parts for row in found.rows]
    return ParsedTable(next((found.columns for found in parts), ()), rows, sum(found.damaged for found in parts))


def parse_or_damaged(text: str) -> ParsedTable:
    """Parse the text of a table; count a text that is not CSV as one damaged line."""
    try:
        return parse_lenient(text)
    except ValueError:
        return ParsedTable(damaged=1)


def first_sample(stream: RunFolder) -> list[Row]:
    """Return the first sample of a dataset as a list of one row; empty where there is no sample."""
    for file in stream.dataset_files(ADVICE):
        found = parse_or_damaged((file.readline() + file.readline()).decode(errors="replace"))
        if found.rows:
            return list(found.rows)
    return []


def copy_samples(stream: RunFolder, target: PrivateDirectory, host: str, axis: MergeAxis) -> tuple[int, int]:
    """Copy samples and add their host; return the number of copied rows and of unreadable ones."""
    copied = lost = 0
    samples = _samples(stream, axis)
    columns = next(samples, [])
    if columns:
        with TextIOWrapper(target.create(DATASET), "utf-8", newline="") as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerow([*columns, HOST])
            for sample in samples:
                if sample:
                    lines.writerow([*sample, host])
                copied, lost = copied + bool(sample), lost + (not sample)
    return copied, lost


def _samples(stream: RunFolder, axis: MergeAxis) -> Iterator[list[str]]:
    """Yield the columns of a dataset except the host, then each sample on the common axis; damaged ones are empty."""
    columns: list[str] = []
    for file in stream.dataset_files(ADVICE):
        for line in file:
            cells = _cells(line.decode(errors="replace"))
            if not columns:
                columns = cells
                yield [name for name in columns if name != HOST]
            elif cells != columns:  # each piece has its heading
                yield _shift(dict(zip(columns, cells, strict=False)), len(columns), axis)


def _shift(sample: Row, cells: int, axis: MergeAxis) -> list[str]:
    if len(sample) < cells:
        return []
    try:
        sample["elapsed_s"] = axis.elapsed(sample["timestamp"], sample["elapsed_s"])
    except (KeyError, ValueError):
        return []
    sample.pop(HOST, None)
    return list(sample.values())


def _cells(line: str) -> list[str]:
    """Return the cells of a line; none if it was cut off."""
    try:
        return next(iter(cells_of(line)), []) if line.endswith("\n") else []
    except ValueError:
        return []
