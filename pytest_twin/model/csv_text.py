"""CSV text: write records that never span lines, and parse whole lines."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence

_VISIBLE = {code: repr(chr(code))[1:-1] for code in (*range(32), 127, 0x85, 0x2028, 0x2029)}
_FORMULA = ("=", "+", "-", "@")
_DIGITS = r"\d+(?:\.\d+)?"
_NEGATIVE = f"-{_DIGITS}"  # a number, which is no formula
_OTHER_MINUS = f",-(?!{_DIGITS}(?:,|$))"


def record(cells: Sequence[object]) -> str:
    """Return one CSV line with its end.

    None is an empty cell. Control characters are escaped, so a record never spans lines; a text that a spreadsheet
    would take for a formula gets an apostrophe in front.
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


def cell(text: str) -> str:
    """Return a text as a cell of a line that is put together without `record`."""
    # each test has such a text, so it is not looked at for what only a line can have
    is_plain = text.isascii() and text.isprintable() and "," not in text and '"' not in text
    return text if is_plain and text[:1] not in _FORMULA else record((text,))[:-1]


def _is_plain(line: str, width: int) -> bool:
    """Tell whether cells joined by commas are a valid record: most are, and tests should not wait for `csv`."""
    return (
        line != ""
        and line.isascii()
        and line.isprintable()
        and line.count(",") == width - 1
        and '"' not in line
        and ",=" not in line
        and ",+" not in line
        and (",-" not in line or not re.search(_OTHER_MINUS, line, re.ASCII))
        and ",@" not in line
        and not line.startswith(_FORMULA)
    )


def rows(text: str) -> list[list[str]]:
    """Return the cells of each line that is not empty.

    Raises:
        ValueError: The text is not CSV.
    """
    if '"' not in text and "\r" not in text:  # most have none, and are read in a third of the time
        return [line.split(",") for line in text.split("\n") if line]
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    try:
        return [row for row in csv.reader(io.StringIO(text)) if row]
    except csv.Error as error:
        raise ValueError(f"is not CSV: {error}") from None


def records(text: str) -> list[dict[str, str]]:
    """Return the whole rows of a table, by column; a last line without an end is left out.

    Raises:
        ValueError: The text is not CSV.
    """
    names, *lines = rows(text.rpartition("\n")[0]) or [[]]
    return [dict(zip(names, line, strict=True)) for line in lines if len(line) == len(names)]


def header(columns: Sequence[str]) -> str:
    """Return the header line with its end."""
    return ",".join(columns) + "\n"


def _text(cell: object) -> str:
    if cell is None:
        return ""
    text = visible(str(cell))
    is_formula = isinstance(cell, str) and text.startswith(_FORMULA) and not re.fullmatch(_NEGATIVE, text, re.ASCII)
    return f"'{text}" if is_formula else text


def visible(text: str) -> str:
    """Return text on one line, with control characters and unpaired surrogates escaped."""
    return text.translate(_VISIBLE).encode("utf-8", "backslashreplace").decode("utf-8")


def parse_number(cell: str | None) -> float | None:
    """Return the value of a cell; None if it is not a finite number."""
    try:
        value = float(cell or "")
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None
