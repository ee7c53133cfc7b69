"""CSV records that stay one line each, whatever stands in them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from typing import NamedTuple

_VISIBLE = {code: repr(chr(code))[1:-1] for code in (*range(32), 127, 0x85, 0x2028, 0x2029)}
_FORMULA = ("=", "+", "-", "@")
_DIGITS = r"\d+(?:\.\d+)?"
_NEGATIVE = re.compile(f"-{_DIGITS}", re.ASCII)  # a number, which is no formula
_OTHER_MINUS = re.compile(f",-(?!{_DIGITS}(?:,|$))", re.ASCII)


def record(cells: Sequence[object]) -> str:
    """One CSV line with its end.

    None is an empty cell. Control characters are written as escapes, so a record never spans lines; a text that a
    spreadsheet would take for a formula gets an apostrophe in front.
    """
    try:
        plain = ",".join(cells)  # type: ignore[arg-type]  # most are text, and need not be looked at one by one
    except TypeError:
        plain = ",".join(["" if cell is None else str(cell) for cell in cells])
    if _is_plain(plain, len(cells)):
        return plain + "\n"
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow([_text(cell) for cell in cells])
    return line.getvalue()


def _is_plain(line: str, width: int) -> bool:
    """Whether cells with commas between them are the record already: most are, and tests should not wait for it."""
    return (
        line != ""
        and line.isascii()
        and line.isprintable()
        and line.count(",") == width - 1
        and '"' not in line
        and ",=" not in line
        and ",+" not in line
        and (",-" not in line or not _OTHER_MINUS.search(line))
        and ",@" not in line
        and not line.startswith(_FORMULA)
    )


def rows(text: str) -> list[list[str]]:
    """The cells of each line that has some.

    Raises:
        ValueError: It is not CSV.
    """
    if '"' not in text and "\r" not in text:  # most have none, and are read in a third of the time
        return [line.split(",") for line in text.split("\n") if line]
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    try:
        return [row for row in csv.reader(io.StringIO(text)) if row]
    except csv.Error as error:
        raise ValueError(f"is not CSV: {error}") from None


class ParsedTable(NamedTuple):
    """What could be read of a table.

    Attributes:
        columns: Its columns.
        rows: Its rows, by column.
        damaged: Lines that could not be read.
    """

    columns: Sequence[str] = ()
    rows: Sequence[dict[str, str]] = ()
    damaged: int = 0


def parse_lenient(text: str) -> ParsedTable:
    """The rows of a table that are whole; a last line without an end was cut off when the run died, and is damaged.

    Raises:
        ValueError: It is not CSV.
    """
    whole, _, torn = text.rpartition("\n")
    names, *lines = rows(whole) or [[]]
    found = [dict(zip(names, line, strict=True)) for line in lines if len(line) == len(names)]
    return ParsedTable(names, found, len(lines) - len(found) + bool(torn))


def records(text: str) -> list[dict[str, str]]:
    """The rows of a table that are whole, by column.

    Raises:
        ValueError: It is not CSV.
    """
    return list(parse_lenient(text).rows)


def header(columns: Sequence[str]) -> str:
    """The header line with its end."""
    return ",".join(columns) + "\n"


def _text(cell: object) -> str:
    if cell is None:
        return ""
    text = visible(str(cell))
    is_formula = isinstance(cell, str) and text.startswith(_FORMULA) and not _NEGATIVE.fullmatch(text)
    return f"'{text}" if is_formula else text


def visible(text: str) -> str:
    """Text on one line: control characters, and halves of characters, as escapes."""
    return text.translate(_VISIBLE).encode("utf-8", "backslashreplace").decode("utf-8")
