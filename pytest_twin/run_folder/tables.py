"""The tables of a run folder: append rows, and format whole tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pytest_twin._system.append_file import AppendOnlyFile
from pytest_twin.model import event
from pytest_twin.model.csv_text import header, record

TEST_EVENT = re.compile(rf'^(?:[^",\n]*,){{{event.FIELDS.index("type")}}}{event.TEST},.*\n', re.MULTILINE)

Row = dict[str, str]


class Table:
    """A table of the run that rows are appended to; a row that cannot be written is counted, and the tests go on.

    Attributes:
        dropped: The number of rows that could not be written.
        problem: Why the first of them could not be written; empty if all were.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        self._rows = AppendOnlyFile(str(path), header(columns))
        self.dropped = 0
        self.problem = ""

    def append(self, row: str) -> None:
        """Write one row."""
        try:
            self._rows.append(row)
        except OSError as error:
            self.dropped += 1
            self.problem = self.problem or error.strerror or str(error)

    @property
    def is_in_place(self) -> bool:
        """Whether the path still leads to this file."""
        return self._rows.is_in_place

    def close(self) -> None:
        """Close the file."""
        self._rows.close()


def table_text(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> str:
    """Return the text of a table."""
    return header(columns) + "".join(
        record([_remove_escape(row.get(column) or "") for column in columns]) for row in rows
    )


def sort_by_time(rows: Iterable[Mapping[str, str]]) -> list[Mapping[str, str]]:
    """Return rows of several tables in time order."""
    return sorted(rows, key=_sort_key)


def _sort_key(row: Mapping[str, str]) -> tuple[str, float]:
    """Return the time of a row, by the calendar first: in old files, seconds of an appended recording begin anew."""
    return row.get("timestamp") or row.get("start") or "", float(row.get("elapsed_s") or 0)


def _remove_escape(cell: str) -> str:
    """Return a cell without its escape for spreadsheets, so that it is not escaped twice."""
    return cell[1:] if cell[:2] in {"'=", "'+", "'-", "'@"} else cell
