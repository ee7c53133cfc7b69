"""Parse tables exported by monitoring systems and spreadsheets: any usual separator, quotes, blanks, a BOM."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from pytest_twin.model.csv_text import visible
from pytest_twin.model.error_text import shown

SEPARATORS = (",", ";", "\t")
_QUOTED = re.compile('"[^"]*"')
_NARROW = str.maketrans("\xa0\u202f", "  ")  # what keeps a number and its unit together
_EXCEL = re.compile("sep=(.)", re.IGNORECASE)  # a first line that tells Excel the separator


class SpreadsheetError(ValueError):
    """A text is not a table; `problems` has one line for each error."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Spreadsheet(NamedTuple):
    """A table of text.

    Attributes:
        columns: The cells by the name of their column, without surrounding blanks.
        lines: The line number of each row, as a spreadsheet counts: the first line of the file is 1.
        separator: The separator between two cells.
    """

    columns: Mapping[str, Sequence[str]]
    lines: Sequence[int]
    separator: str

    def reverse(self) -> Spreadsheet:
        """The same rows from the last to the first."""
        columns = {name: cells[::-1] for name, cells in self.columns.items()}
        return Spreadsheet(columns, self.lines[::-1], self.separator)


def parse_table(text: str) -> Spreadsheet:
    """Return the rows of a table below its header; empty lines, and lines that begin with #, are left out.

    Raises:
        SpreadsheetError: The text is not a table.
    """
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    lines = text.split("\n")
    declared = _EXCEL.fullmatch(lines[0])
    heading = next((line for line in lines[bool(declared) :] if _has_content(line)), "")
    separator = declared[1] if declared else _separator_of(heading)
    names: list[str] = []
    found: list[tuple[int, list[str]]] = []
    problems: list[str] = []
    for number, cells in _rows(text, separator, is_declared=declared is not None):
        if not names:
            names = [visible(cell) for cell in cells]
        elif len(cells) == len(names) or (len(cells) == len(names) + 1 and not cells[-1]):
            found += [(number, cells)] if cells != names else []  # several files one behind the other have several
        elif number < len(lines):  # a last line without an end was cut off where it was being written
            problems.append(f"row {number}: {_misfit(len(cells), len(names), separator)}")
    if twice := next((name for name in names if name and names.count(name) > 1), ""):
        raise SpreadsheetError([f"row 1: column {shown(twice)} appears twice"])
    if problems:
        raise SpreadsheetError(problems)
    if "elapsed_s" in names and not text.endswith("\n") and found and found[-1][0] >= len(lines):
        del found[-1]  # ours, and cut off: its last cell may have lost some of its digits
    columns = {name: [cells[at] for _, cells in found] for at, name in enumerate(names) if name}
    return Spreadsheet(columns, [number for number, _ in found], separator)


def _has_content(line: str) -> bool:
    return line.strip() != "" and not line.startswith("#")


def _separator_of(heading: str) -> str:
    bare = _QUOTED.sub("", heading)
    return max(SEPARATORS, key=bare.count)


def _rows(text: str, separator: str, *, is_declared: bool) -> list[tuple[int, list[str]]]:
    """The cells of each line that has some, with its number.

    Raises:
        SpreadsheetError: It is not CSV.
    """
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    rows = []
    number = 0
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, skipinitialspace=True, strict=True)
        for cells in reader:
            number = reader.line_num
            stripped = [cell.translate(_NARROW).strip() for cell in cells]
            if any(stripped) and not stripped[0].startswith("#") and not (is_declared and number == 1):
                rows.append((number, stripped))
    except (csv.Error, TypeError, ValueError) as error:  # the latter two of a separator that is none
        raise SpreadsheetError([f"row {number + 1}: is not CSV: {error}"]) from None
    return rows


def _misfit(number: int, wanted: int, separator: str) -> str:
    problem = f"has {number} cells, but the header has {wanted}"
    if separator == "," and number > wanted:
        problem += "; if a number has a decimal comma, write a point, or separate the cells with ;"
    return problem
