"""Read a table of times and numbers: our dataset, the old scripts' one, and what monitoring systems export.

A plain table is parsed block by block by pandas. Whatever that cannot read, or finds out of order, is parsed cell by
cell, which takes longer, and knows the row of each problem.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from itertools import islice
from typing import TYPE_CHECKING, Any

from pytest_twin.model import spreadsheet, timestamps
from pytest_twin.model.error_text import shown
from pytest_twin.model.machine_formats.column_meaning import (
    LEVEL,
    SHARE,
    VALUES,
    WANTED,
    ColumnMeaning,
    find_columns,
    find_value,
)
from pytest_twin.model.machine_formats.recorded_series import (
    NoTimesError,
    RecordedSeries,
    RecordingError,
    TimedSeries,
    rows_error,
)
from pytest_twin.model.spreadsheet import Spreadsheet, SpreadsheetError

if TYPE_CHECKING:
    import numpy as np

    Values = np.ndarray[Any, np.dtype[np.float64]]

Blocks = Callable[[], Iterable[bytes]]  # whole lines of a file, from its beginning, as often as it is called
ELAPSED = "elapsed_s"
TIMES = ("timestamp", "time", "_time", "datetime", "date", "ts")  # in lower case; else the first column if it has times
TOTAL_MEMORY = "ram_total_gb"
UNITS_OF_SHARES = {"percent", "%"}
MISSING = {"", "nan", "null", "none", "n/a", "na", "-", "undefined", "inf", "+inf", "-inf", "infinity"}
HEAD = 1 << 16
LINES_OF_HEAD = 3  # the separator for Excel, the names of the columns, and a row
LARGEST_NUMBER = 1e20  # of a time
LARGEST_RATIO = 1.0 + 1e-9
LEAST_RATIO = 0.1  # the largest value of an idle machine in per cent is below that
NO_TIMES = f"row 1: has no column of times; name it timestamp, or {ELAPSED} where it has seconds"
UNIT_HINT = "; write the unit into the name of the column, such as disk_write_MB"

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*%?", re.ASCII | re.IGNORECASE)
_SEPARATOR = re.compile("[,;\t]")
_DECIMAL_COMMA = re.compile(r"(?<=\d),(?=\d)", re.ASCII)
_WITH_UNIT = re.compile(r"[+-]?[\d.]+\s*[A-Za-z]{1,6}(?:/s)?", re.ASCII)
_PLAIN_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*", re.ASCII)
_EPOCHS = (10**11, 1), (10**14, 10**3), (10**17, 10**6), (9 * 10**18, 10**9)
_EARLIEST = 10**9  # seconds since 1970; a lower number is not a date
_ALL_BUT_SHAPE = {mark: bytes(set(range(256)) - {mark, 10}) for mark in b",;\t"}


class _NotPlainError(Exception):
    """A table has to be parsed cell by cell."""


@dataclass
class _NumberTable:
    """A table with its numbers parsed.

    Attributes:
        names: The names of the columns other than those of the times.
        times: The seconds of each row, from any origin.
        start: The time of the first row; None where it is not known.
        numbers: The numbers of some columns, NaN where there is none.
        line: Returns the line of a row.
        remarks: How ambiguous rows were read.
    """

    names: Sequence[str]
    times: Values
    start: datetime | None
    numbers: Mapping[str, Values]
    line: Callable[[int], int]
    remarks: list[str] = field(default_factory=list)


def read_table(blocks: Blocks) -> TimedSeries:
    """Read a table.

    Raises:
        RecordingError: It is not a table, has no two times in order, or no column that shows a resource.
    """
    try:
        table = _read_plain(blocks)
    except (_NotPlainError, SpreadsheetError, RecordingError):
        text = b"".join(blocks()).decode("utf-8-sig", "replace")
        try:
            table = _read_cells(spreadsheet.parse_table(text))
        except SpreadsheetError as error:
            if not _begins_with_times(text):  # as prose, in which each line has its commas
                raise NoTimesError([NO_TIMES]) from None
            raise rows_error(error.problems) from None
    import numpy as np

    with np.errstate(over="ignore"):  # an infinite rate is refused
        series, remarks = _series(table)
    return TimedSeries(table.times, table.start, series, table.line, remarks=[*table.remarks, *remarks])


def _series(table: _NumberTable) -> tuple[list[RecordedSeries], list[str]]:
    """Return what the columns of a table show, and how ambiguous ones were read; their numbers are scaled in place."""
    import numpy as np

    found = _chosen(table.names, table.numbers)
    if not found:
        names = [shown(name) for name in table.names]
        listed = f"it has {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}" if names else "it has only times"
        raise RecordingError([f"has no column of CPU, memory, disk or network: name it {WANTED}; {listed}"])
    series, remarks = [], []
    for each in found:
        values = table.numbers[each.column]
        factor, note = each.factor, each.note
        if each.form == SHARE and not factor:
            is_ratio = bool(np.nanmax(values, initial=0.0) <= LARGEST_RATIO)
            factor = 1.0 if is_ratio else 0.01
            note = "is read as a ratio, since no value is above 1" if is_ratio else "is read as per cent"
        elif each.resource == "cpu" and factor and LEAST_RATIO < np.nanmax(values, initial=0.0) <= LARGEST_RATIO:
            note = " and ".join(filter(None, (note, "has no value above 1 %; if it is a ratio, name it cpu_ratio")))
        if note:
            remarks.append(f"{each.column} {note}")
        if factor < 1:
            values /= 1 / factor  # per cent: 7 / 100, but not 7 * 0.01, is 0.07
        else:
            values *= factor
        if each.is_free:
            np.subtract(1.0, values, out=values)
        source = f"{each.column}{' (1 minus it)' if each.is_free else ''}"
        series.append(RecordedSeries(each.resource, each.form, each.column, values, source))
    total = next((name for name in table.numbers if name.casefold() == TOTAL_MEMORY), "")
    used = next((each for each in series if each.label.casefold() == "ram_used_percent"), None)
    if total and used:
        size = table.numbers[total]
        size *= 2**30
        size *= used.numbers
        series.append(RecordedSeries("mem_bytes", LEVEL, total, size, f"{used.label} of {total}"))
    return series, remarks


def _chosen(names: Sequence[str], numbers: Mapping[str, Values]) -> list[ColumnMeaning]:
    """Return the columns to read; a column of plain values where no other shows the CPU."""
    import numpy as np

    found = [each for each in find_columns(names) if not np.isnan(numbers[each.column]).all() or len(names) == 1]
    if not any(each.resource == "cpu" for each in found) and (value := find_value(names)):
        alone = not found
        note = "is read as CPU per cent" if alone and value.casefold() in VALUES[:1] else ""
        found = [ColumnMeaning(value, "cpu", SHARE, 0.01, note=note), *found]
    return found


def _wanted(names: Sequence[str]) -> list[str]:
    """Return the columns whose numbers may be needed."""
    found = [each.column for each in find_columns(names)]
    others = [name for name in names if name.casefold() in {*VALUES, TOTAL_MEMORY}]
    return list(dict.fromkeys([*found, *others]))


# A plain table, by pandas


def _read_plain(blocks: Blocks) -> _NumberTable:
    """Read a table that has its names in the first line, the same number of cells in each, and times in order.

    Raises:
        _NotPlainError: It is not such a table.
    """
    import numpy as np

    most = sum(block.count(b"\n") for block in blocks()) + 1
    numbers: dict[str, Values] = {}
    parts: list[Any] = []  # of the times, which may be whole numbers in some blocks only
    rows = 0
    names: list[str] = []
    times: tuple[str, ...] = ("",)
    separator = ","
    for block in blocks():
        lines = block.replace(b"\r\n", b"\n") if b"\r" in block else block
        if not names:
            names, times, separator = _heading(lines)
            lines = lines.partition(b"\n")[2]
        if not lines.endswith(b"\n"):  # the last block; the last row of ours was cut off where it was being written
            lines = lines.rpartition(b"\n")[0] if ELAPSED in names else lines
            lines += b"\n" if lines else b""
        if not lines:
            continue
        found, columns = _parse_block(lines, names, times[0], separator)
        parts.append(found)
        for name, values in columns.items():
            numbers.setdefault(name, np.empty(most))[rows : rows + len(found)] = values
        rows += len(found)
    if rows < 2:
        raise _NotPlainError
    at = np.concatenate(parts)
    numbers = {name: values[:rows] for name, values in numbers.items()}
    seconds, start = _plain_seconds(at, is_elapsed=times[0] == ELAPSED)
    if start is None and times[0] == ELAPSED and "timestamp" in names:
        start = _first_time(blocks, "timestamp")
    if not (np.diff(seconds) > 0).all():
        raise _NotPlainError
    others = [name for name in names if name and name not in times]
    return _NumberTable(others, seconds, start, numbers, lambda row: row + 2)


def _heading(lines: bytes) -> tuple[list[str], tuple[str, ...], str]:
    """Return the names of the columns, those of the times, and the separator."""
    head = lines[:HEAD].rpartition(b"\n")[0] + b"\n"
    if head[:1] in b"#\n" or head[:4].lower() == b"sep=":
        raise _NotPlainError
    table = spreadsheet.parse_table(head.decode("utf-8-sig", "replace"))
    names = head.decode("utf-8-sig", "replace").partition("\n")[0].replace('"', "").split(table.separator)
    names = [name.strip() for name in names]
    if set(filter(None, names)) != set(table.columns) or "" in names or any(n.casefold() == "unit" for n in names):
        raise _NotPlainError
    times = _time_columns(table)
    if len(times) > 1 or ord(table.separator) not in _ALL_BUT_SHAPE:
        raise _NotPlainError
    return names, times, table.separator


def _parse_block(lines: bytes, names: Sequence[str], time: str, separator: str) -> tuple[Any, Mapping[str, Values]]:
    """Return the times, as numbers or as nanoseconds since 1970, and the wanted numbers of some lines."""
    import pandas as pd

    lines = lines.replace(b'"', b"") if b'"' in lines else lines
    mark = separator.encode()
    shape = lines.translate(None, _ALL_BUT_SHAPE[mark[0]])
    if b"\0" in lines or shape != (mark * (len(names) - 1) + b"\n") * shape.count(b"\n"):
        raise _NotPlainError
    wanted = [name for name in _wanted(names) if name != time]
    try:
        frame = pd.read_csv(
            BytesIO(lines), sep=separator, header=None, names=list(names), usecols=[time, *wanted], index_col=False,
            na_values=["", "null", "undefined", "NaN", "None", "none", "-", "inf", "-inf", "+Inf", "-Inf", "Inf"],
            keep_default_na=False, low_memory=False, skipinitialspace=True,
            dtype=dict.fromkeys(wanted, "float64"),
        )  # fmt: skip
    except ValueError:
        raise _NotPlainError from None
    at = frame[time]
    if at.dtype.kind not in "iuf":
        at = _nanoseconds(at)
    return at.to_numpy(), {name: frame[name].to_numpy() for name in wanted}


def _nanoseconds(cells: Any) -> Any:
    """Convert ISO 8601 times to nanoseconds since 1970."""
    import pandas as pd

    first = next(iter(cells), None)
    if not isinstance(first, str) or not _PLAIN_TIME.fullmatch(first) or not cells.notna().all():
        raise _NotPlainError
    try:
        found = pd.to_datetime(cells, format="ISO8601", utc=True).dt.as_unit("ns")
    except (ValueError, OverflowError):
        raise _NotPlainError from None
    if found.isna().any():
        raise _NotPlainError
    return found.astype("int64")


def _plain_seconds(at: Any, *, is_elapsed: bool) -> tuple[Values, datetime | None]:
    """Return seconds from any origin, and the time of the first."""
    import numpy as np

    if not (np.abs(at) < LARGEST_NUMBER).all():
        raise _NotPlainError
    if is_elapsed:
        return at.astype(float), None
    largest = float(np.abs(at).max())
    unit = next((unit for below, unit in _EPOCHS if largest < below), None)
    own = next((unit for below, unit in _EPOCHS if abs(float(at[0])) < below), None)
    if unit is None or unit != own or _is_compact(float(at[0])):
        raise _NotPlainError
    seconds = (at - at[0]) / unit
    return seconds.astype(float), _date(float(at[0]) / unit) if float(at[0]) / unit >= _EARLIEST else None


def _is_compact(first: float) -> bool:
    return 1.9e13 <= first < 2.1e13  # 20261128100000, and milliseconds of so many digits begin in 2286


def _date(seconds: float) -> datetime | None:
    try:
        return datetime.fromtimestamp(0, UTC) + timedelta(seconds=seconds)
    except (OverflowError, ValueError):
        return None


def _first_time(blocks: Blocks, name: str) -> datetime | None:
    """Return the time in the first row of a column."""
    lines = next(iter(blocks())).split(b"\n", 2)[:2]
    try:
        table = spreadsheet.parse_table(b"\n".join([*lines, b""]).decode("utf-8-sig", "replace"))
    except SpreadsheetError:
        return None
    return _time_of(table.columns.get(name, [""])[0]) if table.lines else None


def _time_of(cell: str) -> datetime | None:
    """Return the time that a cell has; None where it is not known."""
    number = re.fullmatch(r"\d{9,20}(?:\.\d+)?", cell)
    if number and not re.fullmatch(r"(?:19|20)\d{12}", cell):
        unit = next((unit for below, unit in _EPOCHS if float(cell) < below), 1)
        return _date(float(cell) / unit) if float(cell) / unit >= _EARLIEST else None
    found, problems = timestamps.parse_times([cell])
    return _date(found[0]) if found and not problems and not _NUMBER.fullmatch(cell) else None


# Any table, cell by cell


def _read_cells(table: Spreadsheet) -> _NumberTable:
    """Read a table.

    Raises:
        RecordingError: It has no two times in order, or a cell is not a number.
    """
    import numpy as np

    if not table.columns:
        raise RecordingError(["is empty"])
    time_columns = _time_columns(table)
    label = " ".join(time_columns)
    table, times, remarks = _times_in_order(table, time_columns, label)
    names = [name for name in table.columns if name not in time_columns]
    _require_shares(table)
    numbers = {}
    for name in _wanted(names):
        numbers[name] = _numbers(table, name, is_share=_may_have_percent(name))
    first = " ".join(table.columns[name][0] for name in time_columns)
    start = None
    if time_columns != (ELAPSED,):
        start = _time_of(first) or _date_of_stamp(table, time_columns, times)
    elif "timestamp" in table.columns:
        start = _time_of(table.columns["timestamp"][0])
    return _NumberTable(names, np.array(times), start, numbers, lambda row: table.lines[row], remarks)


def _date_of_stamp(table: Spreadsheet, names: Sequence[str], times: Sequence[float]) -> datetime | None:
    """Return the time of the first row where only the whole column tells it, as of 05/11/2026."""
    first = " ".join(table.columns[name][0] for name in names)
    return None if re.fullmatch(r"[\d.,]+", first) else _date(times[0])


def _times_in_order(
    table: Spreadsheet, names: tuple[str, ...], label: str
) -> tuple[Spreadsheet, list[float], list[str]]:
    """Return a table from the earliest to the latest row, its times, and remarks."""
    if len(table.lines) < 2:
        raise RecordingError(["has fewer than two rows"])
    cells = [" ".join(parts) for parts in zip(*(table.columns[name] for name in names), strict=True)]
    if table.separator != ",":
        cells = [_DECIMAL_COMMA.sub(".", cell) for cell in cells]
    times, problems = (timestamps.parse_seconds if names == (ELAPSED,) else timestamps.parse_times)(cells)
    if problems:
        raise rows_error([f"row {table.lines[at]}: {label}: {problem}" for at, problem in problems])
    remarks = []
    if times[0] > times[-1]:
        table, cells, times = table.reverse(), cells[::-1], times[::-1]
    if late := [at for at in range(1, len(times)) if times[at] < times[at - 1]]:
        advice = "is earlier than the row above; sort the rows by time"
        raise rows_error([f"row {table.lines[at]}: {label}: {shown(cells[at])} {advice}" for at in late])
    if same := [at for at in range(1, len(times)) if times[at] == times[at - 1]]:
        first = f"row {table.lines[same[0]]}: {label}: {shown(cells[same[0]])} is the time of another row too"
        if 2 * len(same) >= len(times):
            raise RecordingError([f"{first}, as in half of the rows; keep the rows of one series"])
        remarks.append(f"{first}; rows with the same time were merged ({len(same)} in all)")
    return table, times, remarks


def _may_have_percent(name: str) -> bool:
    return any(each.form == SHARE for each in find_columns([name])) or name.casefold() in VALUES


def _numbers(table: Spreadsheet, name: str, *, is_share: bool) -> Values:
    """Return the numbers of a column, NaN where a cell is empty or not finite.

    Raises:
        RecordingError: A cell is not a number.
    """
    import numpy as np

    found, problems = [], []
    for at, cell in enumerate(table.columns[name]):
        text = cell.replace(",", ".") if table.separator != "," else cell
        value = math.nan
        if text.casefold() in MISSING:
            pass
        elif not _NUMBER.fullmatch(text) or (text.endswith("%") and not is_share):
            hint = "; write decimals with a point" if "," in cell else UNIT_HINT if _WITH_UNIT.fullmatch(cell) else ""
            problems.append(f"row {table.lines[at]}: {name}: {shown(cell)} is not a number{hint}")
        elif not math.isfinite(value := float(text.rstrip("% "))):
            value = math.nan
        found.append(value)
    if problems:
        raise rows_error(problems)
    return np.array(found)


def _require_shares(table: Spreadsheet) -> None:
    """Check that the unit of a column of values, where a table tells it, is a share."""
    unit = next((name for name in table.columns if name.casefold() == "unit"), "")
    names = list(table.columns)
    if not unit or any(each.resource == "cpu" for each in find_columns(names)) or not find_value(names):
        return
    for at, cell in enumerate(table.columns[unit]):
        if cell and cell.casefold() not in UNITS_OF_SHARES:
            advice = "name the column after what it has: cpu_percent, ram_used_percent, disk_write_MB"
            raise RecordingError([f"row {table.lines[at]}: {unit}: {shown(cell)} is not a share of the CPU; {advice}"])


# Both


def _time_columns(table: Spreadsheet) -> tuple[str, ...]:
    """Return the columns that have the times: one, or a date and a time of day."""
    small = {name.casefold(): name for name in table.columns}
    if ELAPSED in table.columns and "" not in table.columns[ELAPSED][:1]:
        return (ELAPSED,)
    if {"date", "time"} <= small.keys() and not _is_time(table.columns[small["time"]]):
        return small["date"], small["time"]
    known = [small[name] for name in TIMES if name in small]
    first = next(iter(table.columns), "")
    if timestamps.looks_like_one(first):
        raise RecordingError(["row 1: has no names of columns; put a line such as timestamp,value above it"])
    if known or (first and _is_time(table.columns[first])):
        return ((known or [first])[0],)
    raise NoTimesError([NO_TIMES])


def _begins_with_times(text: str) -> bool:
    """Tell whether one of the first lines of a text that is no table names times, or begins with one."""
    lines = (line for line in text.splitlines() if line.strip() and not line.startswith("#"))
    for line in islice(lines, LINES_OF_HEAD):
        cells = [cell.strip(' "') for cell in _SEPARATOR.split(line)]
        if _is_time(cells) or any(cell.casefold() in {*TIMES, ELAPSED} for cell in cells):
            return True
    return False


def _is_time(cells: Sequence[str]) -> bool:
    return bool(cells) and timestamps.looks_like_one(cells[0])
