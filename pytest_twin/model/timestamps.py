"""Parse a column of times in any of the forms that monitoring systems and spreadsheets write.

Numbers are seconds, milliseconds, microseconds or nanoseconds since 1970, distinguished by their size. Dates are ISO
8601, have the name of the month, or have slashes or points; the whole column decides whether the day or the month comes
first. A time without a zone is taken as UTC.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from itertools import pairwise
from typing import NamedTuple

from pytest_twin.model.error_text import shown

Problem = tuple[int, str]  # the index of the cell, and what is wrong with it

_NUMBER = re.compile(r"[+-]?\d{1,20}(?:\.\d{0,20})?(?:[eE]\+?\d{1,2})?", re.ASCII)
_EPOCHS = (("seconds", 10**11, 1), ("milliseconds", 10**14, 10**3), ("microseconds", 10**17, 10**6),
           ("nanoseconds", 10**20, 10**9))  # fmt: skip
_COMPACT = re.compile(r"(?:19|20)\d{12}", re.ASCII)  # 20261128100000; milliseconds of so many digits begin in 2286
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAY_NAME = r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+)?"
_MONTH = rf"(?P<name>{'|'.join(_MONTHS)})[a-z]*\.?"
_DATES = (
    r"(?P<year>\d{4})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})",
    r"(?P<year>\d{4})(?P<month>\d{2})(?P<day>\d{2})(?=T)",
    r"(?P<first>\d{1,2})(?P<mark>[-/.])(?P<second>\d{1,2})(?P=mark)(?P<year>\d{4})",
    rf"{_DAY_NAME}(?P<day>\d{{1,2}})[-/ .]+{_MONTH}[-/ ,]+(?P<year>\d{{4}})",
    rf"{_DAY_NAME}{_MONTH}[-/ ]+(?P<day>\d{{1,2}}),?[-/ ]+(?P<year>\d{{4}})",
)
_CLOCK = (
    r"(?P<hour>\d{1,2}):?(?P<minute>\d{2})(?::?(?P<s>\d{2})(?:[.,](?P<fraction>\d{1,12}))?)?"
    r"(?:\s*(?P<half>[ap])\.?m\.?)?"
    r"\s*(?:z|(?:utc|gmt)?(?P<sign>[+-])(?P<zh>\d{2}):?(?P<zm>\d{2})?(?: utc)?|utc|gmt)?"
)
_STAMPS = [re.compile(rf"{date}(?:[T\s,:]+{_CLOCK})?", re.ASCII | re.IGNORECASE) for date in _DATES]
_CLOCK_ONLY = re.compile(_CLOCK, re.ASCII | re.IGNORECASE)
_ZONE_NAME = re.compile(r"\s+\(?[A-Za-z][A-Za-z_/ ]*\)?$")
_TWO_DIGITS = re.compile(r"\d{1,2}[-/.]\d{1,2}[-/.]\d{2}(?!\d)", re.ASCII)
_1970 = datetime(1970, 1, 1)  # noqa: DTZ001 - offsets are added to the seconds: they may lead out of the calendar


class _Stamp(NamedTuple):
    """A date with a time; of one with slashes, `day` and `month` may have to change places."""

    year: int
    month: int
    day: int
    seconds: float  # of the day, in UTC
    has_two_readings: bool

    def read(self, *, month_first: bool) -> float:
        """Seconds since 1970.

        Raises:
            ValueError: There is no such day.
        """
        swap = month_first and self.has_two_readings
        month, day = (self.day, self.month) if swap else (self.month, self.day)
        date = datetime(self.year, month, day)  # noqa: DTZ001
        return (date - _1970).total_seconds() + self.seconds


def looks_like_one(cell: str) -> bool:
    """Tell whether a cell can only be a time, and not a value."""
    if _NUMBER.fullmatch(cell):
        return Decimal(cell) >= 10**9  # the 21st century
    return any(pattern.fullmatch(cell) for pattern in _STAMPS)


def parse_times(cells: Sequence[str]) -> tuple[list[float], list[Problem]]:
    """Return the times of a column in seconds from an arbitrary origin, and the error if there is one."""
    if any(map(_COMPACT.fullmatch, cells)):
        cells = [f"{cell[:8]}T{cell[8:]}" if _COMPACT.fullmatch(cell) else cell for cell in cells]
    return _numbers(cells) if cells and _NUMBER.fullmatch(cells[0]) else _stamps(cells)


def parse_seconds(cells: Sequence[str]) -> tuple[list[float], list[Problem]]:
    """Return the times of a column in seconds of any size, as `parse_times` does."""
    problems = [
        (at, f"{shown(cell)} is not a number of seconds") for at, cell in enumerate(cells) if not _is_number(cell)
    ]
    return [] if problems else [float(cell) for cell in cells], problems


def _is_number(cell: str) -> bool:
    return _NUMBER.fullmatch(cell) is not None


def _numbers(cells: Sequence[str]) -> tuple[list[float], list[Problem]]:
    problems: list[Problem] = []
    values: list[Decimal] = []
    unit = next((each for each in _EPOCHS if abs(Decimal(cells[0])) < each[1]), None)
    for at, cell in enumerate(cells):
        value = Decimal(cell) if _is_number(cell) else None
        own = next((each for each in _EPOCHS if value is not None and abs(value) < each[1]), None)
        if value is None or own is None or unit is None:
            problems.append((at, _empty(cell) or f"{shown(cell)} is not a time since 1970, unlike the first row"))
        elif own is not unit:
            problems.append((at, f"{cell} seems to be in {own[0]}, but the first row in {unit[0]}"))
        else:
            values.append(value)
    if problems or unit is None:
        return [], problems
    return [float((value - values[0]) / unit[2]) for value in values], []  # whole first: nanoseconds have 19 digits


def _empty(cell: str) -> str:
    return "" if cell else "is empty"


def _stamps(cells: Sequence[str]) -> tuple[list[float], list[Problem]]:
    stamps: list[_Stamp] = []
    problems: list[Problem] = []
    for at, cell in enumerate(cells):
        try:
            stamps.append(_stamp(cell))
        except ValueError as error:
            problems.append((at, str(error)))
    if problems:
        return [], problems
    readings = [_read(stamps, cells, month_first=month_first) for month_first in (False, True)]
    good = [times for times, wrong in readings if not wrong]
    if not good:
        return [], _contradiction(stamps, cells) or readings[0][1]
    if len(good) == 2:
        if len({_from_first(times) for times in good}) == 1:  # only how far they are apart counts
            return good[0], []
        good = [times for times in good if _is_in_order(times)]
        if len(good) != 1:
            at = next(at for at, stamp in enumerate(stamps) if stamp.has_two_readings and stamp.month != stamp.day)
            problem = f"{shown(cells[at])} is ambiguous: day first or month first, and no row shows which"
            return [], [(at, f"{problem}; write dates such as 2026-11-28")]
    return good[0], []


def _read(stamps: Sequence[_Stamp], cells: Sequence[str], *, month_first: bool) -> tuple[list[float], list[Problem]]:
    times: list[float] = []
    problems: list[Problem] = []
    for at, stamp in enumerate(stamps):
        try:
            times.append(stamp.read(month_first=month_first))
        except ValueError:
            problems.append((at, f"{shown(cells[at])} is not a valid date"))
    return times, problems


def _contradiction(stamps: Sequence[_Stamp], cells: Sequence[str]) -> list[Problem]:
    """The row that has the month where another must have the day, if that is what is wrong."""
    either = [(at, stamp) for at, stamp in enumerate(stamps) if stamp.has_two_readings]
    day_first = [at for at, stamp in either if 12 < stamp.day <= 31 and stamp.month <= 12]
    month_first = [at for at, stamp in either if 12 < stamp.month <= 31 and stamp.day <= 12]
    if not day_first or not month_first:
        return []
    one, other = sorted((day_first[0], month_first[0]))
    first, then = ("day", "month") if one == day_first[0] else ("month", "day")
    return [
        (other, f"{shown(cells[other])} has the {then} first, but {shown(cells[one])} above it has the {first} first")
    ]


def _from_first(times: Sequence[float]) -> tuple[float, ...]:
    return tuple(time - times[0] for time in times)


def _is_in_order(times: Sequence[float]) -> bool:
    return all(early < late for early, late in pairwise(times)) or all(early > late for early, late in pairwise(times))


def _stamp(cell: str) -> _Stamp:
    """One date with its time.

    Raises:
        ValueError: It is none; the message says why.
    """
    found = next((match for pattern in _STAMPS if (match := pattern.fullmatch(cell))), None)
    if found is None:
        raise ValueError(_reason(cell))
    parts = found.groupdict()
    seconds = _seconds(parts, cell)
    if parts.get("first"):
        first, second = int(parts["first"]), int(parts["second"])
        return _Stamp(int(parts["year"]), second, first, seconds, parts["mark"] != ".")  # with points the day is first
    month = _MONTHS.index(parts["name"].lower()) + 1 if parts.get("name") else int(parts["month"])
    return _Stamp(int(parts["year"]), month, int(parts["day"]), seconds, has_two_readings=False)


def _seconds(parts: dict[str, str | None], cell: str) -> float:
    """Seconds of the day, in UTC."""
    hour, minute, second = (int(parts[name] or 0) for name in ("hour", "minute", "s"))
    if half := parts["half"]:
        if not 1 <= hour <= 12:
            raise ValueError(f"{shown(cell)} is not a time of day")
        hour = hour % 12 + 12 * (half in "pP")
    if hour > 23 or minute > 59 or second > 60:
        raise ValueError(f"{shown(cell)} is not a time of day")
    ahead = 3600 * int(parts["zh"] or 0) + 60 * int(parts["zm"] or 0)
    ahead = -ahead if parts["sign"] == "-" else ahead
    return 3600 * hour + 60 * minute + second - ahead + float(f"0.{parts['fraction'] or 0}")


def _reason(cell: str) -> str:
    """Why this is no time that can be read."""
    without_zone = _ZONE_NAME.sub("", cell)
    if without_zone != cell and any(pattern.fullmatch(without_zone) for pattern in _STAMPS):
        return f"{shown(cell)} names a time zone; write its offset, such as +01:00"
    if _CLOCK_ONLY.fullmatch(cell):
        return f"{shown(cell)} has no date; write 2026-11-28 in front of it"
    if _TWO_DIGITS.match(cell):
        return f"{shown(cell)} has a year of two digits; write dates such as 2026-11-28"
    known = "write times such as 2026-11-28T10:00:00Z, or seconds or milliseconds since 1970"
    return _empty(cell) or f"{shown(cell)} is not a time; {known}"
