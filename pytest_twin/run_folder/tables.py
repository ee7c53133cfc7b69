"""The tables of a run folder: append rows, and format whole tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from pytest_twin._system.append_file import AppendOnlyFile
from pytest_twin._system.stdlib import os
from pytest_twin.model import event
from pytest_twin.model.csv_text import header, record

TEST_EVENT = re.compile(rf'^(?:[^",\n]*,){{{event.FIELDS.index("type")}}}{event.TEST},.*\n', re.MULTILINE)

Row = dict[str, str]


class Table(AppendOnlyFile):
    """A table of the run that rows are appended to; a row that cannot be written is counted, and the tests go on.

    Attributes:
        dropped: The number of rows that could not be written.
        problem: Why the first of them could not be written; empty if all were.
    """

    def __init__(self, path: Path, columns: Sequence[str]) -> None:
        super().__init__(str(path), header(columns))
        self.dropped = 0
        self.problem = ""

    def append(self, row: str) -> None:
        """Write one row."""
        try:
            super().append(row)
        except OSError as error:
            if row:  # without one, it is the header of a new file, which the next row brings along
                self._drop(error)

    def append_between_tests(self, row: str) -> None:
        """Write one row right after `DescriptorGroup.reopen_lost`: in half the time, since no test closed the file."""
        data = row.encode()
        try:
            if not self._size or (wrote := os.write(self.descriptor.fd, data)) < 1:
                self.append(row)
            elif wrote < len(data):
                self._write_rest(self.descriptor.fd, data, wrote)
        except OSError as error:
            self._drop(error)

    def _drop(self, error: OSError) -> None:
        self.dropped += 1
        self.problem = self.problem or error.strerror or str(error)


def table_text(columns: Sequence[str], rows: Iterable[Mapping[str, str]]) -> str:
    """Return the text of a table."""
    return header(columns) + "".join(
        record([_remove_escape(row.get(column) or "") for column in columns]) for row in rows
    )


def _remove_escape(cell: str) -> str:
    """Return a cell without its escape for spreadsheets, so that it is not escaped twice."""
    return cell[1:] if cell[:2] in {"'=", "'+", "'-", "'@"} else cell
