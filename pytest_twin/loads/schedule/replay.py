"""Turn a recording into a load: the values of its rows become profiles over time.

Of a dataset the CPU is replayed as it was (``cpu_percent``), memory as its rise above the lowest level
(``ram_used_percent``), and the disk as the amount written (``disk_write_MB``, which may be a running total). A file of
``timestamp,value`` is read as CPU per cent, and so are the CPU columns that monitoring systems export.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import NamedTuple

from pytest_twin.loads.spec import Kinds, Load, LoadPart
from pytest_twin.model import running_totals, spreadsheet, timestamps
from pytest_twin.model.counter_window import OFTEN_S, readings
from pytest_twin.model.error_text import shown
from pytest_twin.model.spreadsheet import Spreadsheet, SpreadsheetError
from pytest_twin.stressors.spec.kind import RATE, SHARE
from pytest_twin.stressors.spec.profile import Points

ELAPSED = "elapsed_s"
TIMES = (
    "timestamp",
    "time",
    "_time",
    "datetime",
    "date",
    "ts",
)  # in lower case; otherwise the first column is used if it has times
CPU_VALUES = ("value", "average", "_value")  # the value columns of NAB and Grafana, CloudWatch, and InfluxDB
UNITS_OF_SHARES = {"percent", "%"}
SLIGHTLY_OVER = 110.0  # per cent; rounding and late samples can turn 100 into this
FASTEST_DISK = 16e9  # bytes a second: the bandwidth of four lanes of PCIe 5, which a device has
MAX_ROWS_REPORTED = 3

_CPU_COLUMN = re.compile(r"cpu$|.*cpu.*(percent|pct|%|util|usage|used|busy)|.*(percent|%).*cpu")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*%?", re.ASCII | re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"(?<=\d),(?=\d)", re.ASCII)
_MISSING = {"", "nan", "null", "none", "n/a", "na", "-", "undefined", "inf", "+inf", "-inf", "infinity"}


class ReplayError(ValueError):
    """A file cannot be replayed.

    Attributes:
        problems: All problems, a line each.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Replay(NamedTuple):
    """A recording as a load.

    Attributes:
        load: The load over time.
        duration_s: The duration of the recording in seconds.
        remarks: How ambiguous rows were read.
    """

    load: Load
    duration_s: float
    remarks: Sequence[str] = ()


class RecordedValue(NamedTuple):
    """A value and the interval that it describes, in seconds."""

    since: float
    until: float
    value: float


def parse_recording(text: str, name: str, kinds: Kinds) -> Replay:
    """Parse a recording.

    Args:
        text: The text of its file.
        name: The amount of the load, as it is written in annotations.csv.
        kinds: The installed kinds of load.

    Raises:
        ReplayError: It is not a table, has no two times in order, nothing to replay, or impossible values.
    """
    try:
        table = spreadsheet.parse_table(text)
    except SpreadsheetError as error:
        raise _rows_error(error.problems) from None
    if not table.columns:
        raise ReplayError(["is empty"])
    recording = _TimedTable.of(table)
    parts = []
    for keyword, (find, unit, profile) in _REPLAYED.items():
        column = find(recording) if keyword in kinds else ""
        points = profile(recording, column) if column else []
        if points and max(value for _, value in points) > 0:
            parts.append(LoadPart(kinds[keyword], name, unit, tuple(points)))
    if not parts:
        wanted = "cpu_percent (or value), ram_used_percent, disk_write_MB"
        raise ReplayError(
            [f"has nothing to replay: no value above 0 in a column named {wanted}; {_list_columns(recording)}"]
        )
    return Replay(Load(tuple(parts)), recording.ends[-1], recording.remarks)


def _list_columns(recording: _TimedTable) -> str:
    names = [shown(name) for name in recording.sheet.columns if name not in recording.time_columns]
    return f"it has {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}" if names else "it has only times"


def _rows_error(problems: Sequence[str]) -> ReplayError:
    """Return an error that reports the first problems and the number of the others."""
    more = len(problems) - MAX_ROWS_REPORTED
    reported = problems[: MAX_ROWS_REPORTED + (more == 1)]
    return ReplayError([*reported, *([f"and {more} more rows"] if more > 1 else [])])


@dataclass
class _TimedTable:
    """A table with its times parsed.

    Attributes:
        sheet: The cells.
        time_columns: The names of the columns that have the times.
        ends: For each row the end of the interval that it describes; the first one is as long as the second.
        remarks: How ambiguous rows were read.
    """

    sheet: Spreadsheet
    time_columns: Sequence[str]
    ends: Sequence[float]
    remarks: list[str]

    @classmethod
    def of(cls, table: Spreadsheet) -> _TimedTable:
        """Parse the times of a table.

        Raises:
            ReplayError: It has none, or they are not in order.
        """
        names = _time_columns(table)
        if len(table.lines) < 2:
            raise ReplayError(["has fewer than two rows"])
        cells = [" ".join(parts) for parts in zip(*(table.columns[name] for name in names), strict=True)]
        if table.separator != ",":
            cells = [_DECIMAL_COMMA.sub(".", cell) for cell in cells]
        times, problems = (timestamps.parse_seconds if names == (ELAPSED,) else timestamps.parse_times)(cells)
        label = " ".join(names)
        if problems:
            raise _rows_error([f"row {table.lines[at]}: {label}: {problem}" for at, problem in problems])
        remarks = []
        if times[0] > times[-1]:
            table, cells, times = table.reverse(), cells[::-1], times[::-1]
        if late := [at for at in range(1, len(times)) if times[at] < times[at - 1]]:
            advice = "is earlier than the row above; sort the rows by time"
            raise _rows_error([f"row {table.lines[at]}: {label}: {shown(cells[at])} {advice}" for at in late])
        if same := [at for at in range(1, len(times)) if times[at] == times[at - 1]]:
            first = f"row {table.lines[same[0]]}: {label}: {shown(cells[same[0]])} is the time of another row too"
            if 2 * len(same) >= len(times):
                raise ReplayError([f"{first}, as in half of the rows; keep the rows of one series"])
            remarks.append(f"{first}; rows with the same time were merged ({len(same)} in all)")
        return cls(table, names, _interval_ends(times), remarks)

    def numbers(self, column: str, *, is_share: bool = False) -> list[tuple[float, float]]:
        """Return the values of the non-empty cells of a column, each with the end of its interval.

        Raises:
            ReplayError: A cell is not a number.
        """
        found, problems = [], []
        for at, cell in enumerate(self.sheet.columns[column]):
            text = cell.replace(",", ".") if self.sheet.separator != "," else cell
            if text.casefold() in _MISSING:
                continue
            if not _NUMBER.fullmatch(text) or (text.endswith("%") and not is_share):
                hint = "; write decimals with a point" if "," in cell else ""
                problems.append(f"{self.place(at, column)}: {shown(cell)} is not a number{hint}")
            elif math.isfinite(value := float(text.rstrip("% "))):
                found.append((self.ends[at], value))
        if problems:
            raise _rows_error(problems)
        return found

    def place(self, at: int, column: str) -> str:
        """Return the place of a cell, for errors."""
        return f"row {self.sheet.lines[at]}: {column}"

    def spans(
        self, values: Iterable[tuple[float, float]], combine: Callable[[list[float]], float]
    ) -> list[RecordedValue]:
        """Return each value with its interval, from the end of the previous one; values of one time are combined."""
        spans: list[RecordedValue] = []
        step = self.ends[0]
        for until, same in groupby(values, key=lambda each: each[0]):
            since = spans[-1].until if spans else until - step
            spans.append(RecordedValue(since, until, combine([value for _, value in same])))
        return spans


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
        raise ReplayError(["row 1: has no names of columns; put a line such as timestamp,value above it"])
    if known or (first and _is_time(table.columns[first])):
        return ((known or [first])[0],)
    raise ReplayError([f"row 1: has no column of times; name it timestamp, or {ELAPSED} where it has seconds"])


def _is_time(cells: Sequence[str]) -> bool:
    return bool(cells) and timestamps.looks_like_one(cells[0])


def _interval_ends(times: Sequence[float]) -> list[float]:
    """Return the ends of the intervals that rows describe, counted from the start of the first.

    Raises:
        ReplayError: Floating-point numbers cannot distinguish them.
    """
    step = next((time for earlier, time in pairwise(times) if time > earlier), times[0]) - times[0]
    ends = [time - times[0] + step for time in times]
    is_lost = any((late > early) != (later > earlier) for (early, late), (earlier, later) in zip(
        pairwise(times), pairwise(ends), strict=True))  # fmt: skip
    if step <= 0 or not math.isfinite(ends[-1]) or is_lost:
        raise ReplayError(["has times that are too far apart, or too close to each other, to be distinguished"])
    return ends


def _find(recording: _TimedTable, name: str) -> str:
    """Return the column of this name, compared without case; empty if there is none."""
    return next((each for each in recording.sheet.columns if each.casefold() == name.casefold()), "")


def _find_cpu(recording: _TimedTable) -> str:
    if (own := _find(recording, "cpu_percent")) and recording.numbers(own, is_share=True):
        return own
    column = next((found for name in CPU_VALUES if (found := _find(recording, name))), "")
    others = [
        each for each in recording.sheet.columns if _CPU_COLUMN.match(small := each.casefold()) and "idle" not in small
    ]
    if not column and len(others) == 1:
        (column,) = others
    if column and column != own:
        _require_share(recording, column)
    return column


def _require_share(recording: _TimedTable, column: str) -> None:
    """Check that a column has shares of the CPU.

    Raises:
        ReplayError: Its unit or a value is something else.
    """
    instead = "name the column after what it has: cpu_percent, ram_used_percent, disk_write_MB"
    unit = _find(recording, "unit")
    for at, cell in enumerate(recording.sheet.columns[unit] if unit else ()):
        if cell and cell.casefold() not in UNITS_OF_SHARES:
            raise ReplayError([f"{recording.place(at, unit)}: {shown(cell)} is not a share of the CPU; {instead}"])
    for until, value in recording.numbers(column, is_share=True):
        if value > SLIGHTLY_OVER:
            place = recording.place(recording.ends.index(until), column)
            raise ReplayError([f"{place}: {value:.10g} is not a CPU percentage; {instead}"])


def _cpu(recording: _TimedTable, column: str) -> Points:
    """Return the share of each row, held over its interval."""
    spans = recording.spans(recording.numbers(column, is_share=True), _mean)
    return _steps([span._replace(value=min(max(span.value, 0.0), 100.0) / 100) for span in spans])


def _memory(recording: _TimedTable, column: str) -> Points:
    """Return the rise above the lowest level: memory that is always in use is in use on this machine too."""
    spans = recording.spans(recording.numbers(column, is_share=True), _mean)
    lowest = min((span.value for span in spans), default=0.0)
    step = recording.ends[0]
    return [(span.until - step, min((span.value - lowest) / 100, 1.0)) for span in spans]


def _disk(recording: _TimedTable, column: str) -> Points:
    """Return the amount written as a rate; for a running total its growth."""
    values = recording.numbers(column)
    spans = recording.spans(values, math.fsum)
    totals = recording.spans(values, max)
    if running_totals.is_running_total([span.value for span in totals], _max_megabytes(spans)):
        first, last = f"{totals[0].value:g}", f"{totals[-1].value:g}"
        recording.remarks.append(f"{column} is a running total ({first} to {last}): its growth is replayed")
        growth = running_totals.growth([span.value for span in totals])
        spans = [span._replace(value=value) for span, value in zip(totals[1:], growth, strict=True)]
    rates = _rates(spans)
    fastest = max(rates, key=lambda span: span.value, default=RecordedValue(0.0, 0.0, 0.0))
    if fastest.value > FASTEST_DISK:
        at = recording.ends.index(fastest.until)
        rate = f"{fastest.value / 1e9:.4g} GB/s, but no disk writes more than {FASTEST_DISK / 1e9:g} GB/s"
        raise ReplayError([f"{recording.place(at, column)}: is a rate of {rate}; give the MB of each row"])
    return _steps(rates)


def _rates(spans: Sequence[RecordedValue]) -> list[RecordedValue]:
    """Return rates in bytes a second; a counter that is read seldom is spread over the rows since its last reading."""
    if not spans:
        return []
    amounts = [0.0, *(max(span.value, 0.0) for span in spans)]
    times = [spans[0].since, *(span.until for span in spans)]
    found = list(readings(times, amounts, OFTEN_S))
    since = [times[0], *(times[row] for row, _ in found)]
    return [
        RecordedValue(early, times[row], amounts[row] * 2**20 / (times[row] - begin))
        for early, (row, begin) in zip(since, found, strict=False)
    ]


def _max_megabytes(spans: Sequence[RecordedValue]) -> float:
    """Return the MiB that the fastest disk writes in the shortest interval."""
    return min((span.until - span.since for span in spans), default=0.0) * FASTEST_DISK / 2**20


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def _steps(spans: Iterable[RecordedValue]) -> Points:
    return [point for span in spans for point in ((span.since, span.value), (span.until, span.value))]


_REPLAYED: Mapping[str, tuple[Callable[[_TimedTable], str], str, Callable[[_TimedTable, str], Points]]] = {
    "cpu": (_find_cpu, SHARE, _cpu),
    "mem": (lambda recording: _find(recording, "ram_used_percent"), SHARE, _memory),
    "disk": (lambda recording: _find(recording, "disk_write_MB"), RATE, _disk),
}
