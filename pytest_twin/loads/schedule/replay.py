"""A recording as a load: what its rows show, as profiles over time.

From a recorded dataset the CPU is asked for as it was (``cpu_percent``), memory as far as it rose above its lowest
level (``ram_used_percent``), and the disk as much as was written (``disk_write_MB``, which may be a running total). A
mere file of ``timestamp,value`` is taken for CPU per cent, and so is what monitoring systems export of a CPU.
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
TIMES = ("timestamp", "time", "_time", "datetime", "date", "ts")  # in small letters; else the first column is looked at
CPU_VALUES = ("value", "average", "_value")  # as NAB and Grafana, CloudWatch, and InfluxDB call what is measured
UNITS_OF_SHARES = {"percent", "%"}
SLIGHTLY_OVER = 110.0  # per cent: what rounding and late samples make of 100
FASTEST_DISK = 16e9  # bytes a second: what goes through the four lanes of PCIe 5 that a device has
MOST_ROWS_TOLD = 3

_OF_A_CPU = re.compile(r"cpu$|.*cpu.*(percent|pct|%|util|usage|used|busy)|.*(percent|%).*cpu")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?\s*%?", re.ASCII | re.IGNORECASE)
_DECIMAL_COMMA = re.compile(r"(?<=\d),(?=\d)", re.ASCII)
_MISSING = {"", "nan", "null", "none", "n/a", "na", "-", "undefined", "inf", "+inf", "-inf", "infinity"}


class ReplayError(ValueError):
    """A file cannot be replayed; `problems` has one line for each thing that is wrong."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class Replay(NamedTuple):
    """What a recording shows.

    Attributes:
        load: As a load over time.
        duration_s: How long it lasts.
        remarks: How its rows were read, where they could have been read in another way.
    """

    load: Load
    duration_s: float
    remarks: Sequence[str] = ()


class RecordedValue(NamedTuple):
    """A value, and the time that it tells of."""

    since: float
    until: float
    value: float


def replayed(text: str, name: str, kinds: Kinds) -> Replay:
    """The load that a recording shows.

    Args:
        text: What stands in its file.
        name: What the load is called.
        kinds: The stressors there are.

    Raises:
        ReplayError: It is no table, has no two times in order, nothing that can be replayed, or impossible figures.
    """
    try:
        table = spreadsheet.read(text)
    except SpreadsheetError as error:
        raise _refusal(error.problems) from None
    if not table.columns:
        raise ReplayError(["is empty"])
    recording = _TimedTable.of(table)
    parts = []
    for keyword, (find, unit, profile) in _SHOWN.items():
        column = find(recording) if keyword in kinds else ""
        points = profile(recording, column) if column else []
        if points and max(value for _, value in points) > 0:
            parts.append(LoadPart(kinds[keyword], name, unit, tuple(points)))
    if not parts:
        wanted = "cpu_percent (or value), ram_used_percent, disk_write_MB"
        raise ReplayError([f"has nothing to replay: no value above 0 in a column named {wanted}; {_has(recording)}"])
    return Replay(Load(tuple(parts)), recording.ends[-1], recording.remarks)


def _has(recording: _TimedTable) -> str:
    names = [shown(name) for name in recording.sheet.columns if name not in recording.of_times]
    return f"it has {', '.join(names[:5])}{', ...' if len(names) > 5 else ''}" if names else "it has only times"


def _refusal(problems: Sequence[str]) -> ReplayError:
    """An error that names the first rows, and how many more there are."""
    more = len(problems) - MOST_ROWS_TOLD
    told = problems[: MOST_ROWS_TOLD + (more == 1)]
    return ReplayError([*told, *([f"and {more} rows more"] if more > 1 else [])])


@dataclass
class _TimedTable:
    """A table of which the times are read.

    Attributes:
        sheet: Its cells.
        of_times: The columns that have the times.
        ends: For each row the end of the time that it tells of; the first row tells of as much as the second.
        remarks: How it was read.
    """

    sheet: Spreadsheet
    of_times: Sequence[str]
    ends: Sequence[float]
    remarks: list[str]

    @classmethod
    def of(cls, table: Spreadsheet) -> _TimedTable:
        """Read the times.

        Raises:
            ReplayError: There are none, or they are not in order.
        """
        names = _columns_of_times(table)
        if len(table.lines) < 2:
            raise ReplayError(["has less than two rows"])
        cells = [" ".join(parts) for parts in zip(*(table.columns[name] for name in names), strict=True)]
        if table.separator != ",":
            cells = [_DECIMAL_COMMA.sub(".", cell) for cell in cells]
        times, problems = (timestamps.read_seconds if names == (ELAPSED,) else timestamps.read)(cells)
        label = " ".join(names)
        if problems:
            raise _refusal([f"row {table.lines[at]}: {label}: {problem}" for at, problem in problems])
        remarks = []
        if times[0] > times[-1]:
            table, cells, times = table.reverse(), cells[::-1], times[::-1]
        if late := [at for at in range(1, len(times)) if times[at] < times[at - 1]]:
            said = "is before that of the row above; sort the rows by their time"
            raise _refusal([f"row {table.lines[at]}: {label}: {shown(cells[at])} {said}" for at in late])
        if same := [at for at in range(1, len(times)) if times[at] == times[at - 1]]:
            first = f"row {table.lines[same[0]]}: {label}: {shown(cells[same[0]])} is the time of another row too"
            if 2 * len(same) >= len(times):
                raise ReplayError([f"{first}, as in half of the rows; keep the rows of one series"])
            remarks.append(f"{first}; rows of the same time were taken together ({len(same)} in all)")
        return cls(table, names, _shifted(times), remarks)

    def numbers(self, column: str, *, is_share: bool = False) -> list[tuple[float, float]]:
        """The values of a column where it has some, each with the end of its time.

        Raises:
            ReplayError: A cell is no number.
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
            raise _refusal(problems)
        return found

    def place(self, at: int, column: str) -> str:
        """Where a cell is, for people."""
        return f"row {self.sheet.lines[at]}: {column}"

    def spans(
        self, values: Iterable[tuple[float, float]], together: Callable[[list[float]], float]
    ) -> list[RecordedValue]:
        """Each value with its time, which begins at the value before; values of the same time become one."""
        spans: list[RecordedValue] = []
        step = self.ends[0]
        for until, same in groupby(values, key=lambda each: each[0]):
            since = spans[-1].until if spans else until - step
            spans.append(RecordedValue(since, until, together([value for _, value in same])))
        return spans


def _columns_of_times(table: Spreadsheet) -> tuple[str, ...]:
    """The columns that have the time: one, or a date and a time of the day."""
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


def _shifted(times: Sequence[float]) -> list[float]:
    """The ends of the times that rows tell of: each tells of the time before it.

    Raises:
        ReplayError: They cannot be told apart.
    """
    step = next((time for earlier, time in pairwise(times) if time > earlier), times[0]) - times[0]
    ends = [time - times[0] + step for time in times]
    is_lost = any((late > early) != (later > earlier) for (early, late), (earlier, later) in zip(
        pairwise(times), pairwise(ends), strict=True))  # fmt: skip
    if step <= 0 or not math.isfinite(ends[-1]) or is_lost:
        raise ReplayError(["has times that are too far apart, or too close to each other, to be told apart"])
    return ends


def _find(recording: _TimedTable, name: str) -> str:
    """A column by its name, whatever the size of its letters."""
    return next((each for each in recording.sheet.columns if each.casefold() == name.casefold()), "")


def _find_cpu(recording: _TimedTable) -> str:
    if (own := _find(recording, "cpu_percent")) and recording.numbers(own, is_share=True):
        return own
    column = next((found for name in CPU_VALUES if (found := _find(recording, name))), "")
    others = [
        each for each in recording.sheet.columns if _OF_A_CPU.match(small := each.casefold()) and "idle" not in small
    ]
    if not column and len(others) == 1:
        (column,) = others
    if column and column != own:
        _demand_a_share(recording, column)
    return column


def _demand_a_share(recording: _TimedTable, column: str) -> None:
    """Refuse to take for a share of the CPU what is something else.

    Raises:
        ReplayError: It is.
    """
    instead = "name the column after what it has: cpu_percent, ram_used_percent, disk_write_MB"
    unit = _find(recording, "unit")
    for at, cell in enumerate(recording.sheet.columns[unit] if unit else ()):
        if cell and cell.casefold() not in UNITS_OF_SHARES:
            raise ReplayError([f"{recording.place(at, unit)}: {shown(cell)} is no share of the CPU; {instead}"])
    for until, value in recording.numbers(column, is_share=True):
        if value > SLIGHTLY_OVER:
            place = recording.place(recording.ends.index(until), column)
            raise ReplayError([f"{place}: {value:.10g} is no CPU per cent; {instead}"])


def _cpu(recording: _TimedTable, column: str) -> Points:
    """A row's share holds for the time that it tells of."""
    spans = recording.spans(recording.numbers(column, is_share=True), _mean)
    return _held([span._replace(value=min(max(span.value, 0.0), 100.0) / 100) for span in spans])


def _memory(recording: _TimedTable, column: str) -> Points:
    """Only the rise: what is always in use is in use here too."""
    spans = recording.spans(recording.numbers(column, is_share=True), _mean)
    lowest = min((span.value for span in spans), default=0.0)
    step = recording.ends[0]
    return [(span.until - step, min((span.value - lowest) / 100, 1.0)) for span in spans]


def _disk(recording: _TimedTable, column: str) -> Points:
    """What was written, as a rate; of a running total, what it grew by."""
    values = recording.numbers(column)
    spans = recording.spans(values, math.fsum)
    totals = recording.spans(values, max)
    if running_totals.is_running_total([span.value for span in totals], _most_megabytes(spans)):
        first, last = f"{totals[0].value:g}", f"{totals[-1].value:g}"
        recording.remarks.append(f"{column} is a running total ({first} to {last}): its growth is replayed")
        growth = running_totals.growth([span.value for span in totals])
        spans = [span._replace(value=value) for span, value in zip(totals[1:], growth, strict=True)]
    rates = _rates(spans)
    fastest = max(rates, key=lambda span: span.value, default=RecordedValue(0.0, 0.0, 0.0))
    if fastest.value > FASTEST_DISK:
        at = recording.ends.index(fastest.until)
        said = f"{fastest.value / 1e9:.4g} GB/s, and no disk writes more than {FASTEST_DISK / 1e9:g}"
        raise ReplayError([f"{recording.place(at, column)}: comes to {said}; give the MB of each row"])
    return _held(rates)


def _rates(spans: Sequence[RecordedValue]) -> list[RecordedValue]:
    """Bytes a second; what was written before a counter was read is that of the rows since it was read before."""
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


def _most_megabytes(spans: Sequence[RecordedValue]) -> float:
    """What a disk could write in the time of the shortest row."""
    return min((span.until - span.since for span in spans), default=0.0) * FASTEST_DISK / 2**20


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values)


def _held(spans: Iterable[RecordedValue]) -> Points:
    return [point for span in spans for point in ((span.since, span.value), (span.until, span.value))]


_SHOWN: Mapping[str, tuple[Callable[[_TimedTable], str], str, Callable[[_TimedTable, str], Points]]] = {
    "cpu": (_find_cpu, SHARE, _cpu),
    "mem": (lambda recording: _find(recording, "ram_used_percent"), SHARE, _memory),
    "disk": (lambda recording: _find(recording, "disk_write_MB"), RATE, _disk),
}
