"""The last minute of a recording: rows in, points of lines out, in constant memory."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from statistics import median
from typing import NamedTuple

from pytest_twin.model.clock import SAME_RUN_S
from pytest_twin.model.counter_window import OFTEN_S, UNKNOWN, ReadingTracker

Row = Mapping[str, str]

SPAN_S = 60.0
BINS = 120
BIN_S = SPAN_S / BINS
NOW_BINS = 2  # what is the case "now" is the mean of this second: a row of 0.1 s alone is mostly rounding
PAUSE = 5  # so many intervals without a row, and more than is shown, are none of one recording
SHARE, RATE = "%", "MiB/s"


class Series(NamedTuple):
    """A quantity that is shown over time.

    Attributes:
        name: Its name for people.
        unit: `SHARE`, or `RATE` if the column has amounts since the last reading.
        column: Its column in the dataset; empty for the rest of the CPU.
        is_part: Whether it is a part of the last series before it that is not a part.
    """

    name: str
    unit: str
    column: str
    is_part: bool = False


SERIES = (
    Series("CPU", SHARE, "cpu_percent"),
    Series("tests", SHARE, "tests_cpu_percent", is_part=True),
    Series("stress", SHARE, "stress_cpu_percent", is_part=True),
    Series("rest", SHARE, "", is_part=True),
    Series("memory", SHARE, "ram_used_percent"),
    Series("disk read", RATE, "disk_read_MB"),
    Series("disk write", RATE, "disk_write_MB"),
    Series("net in", RATE, "net_recv_MB"),
    Series("net out", RATE, "net_sent_MB"),
    Series("pressure cpu", SHARE, "pressure_cpu_percent"),
    Series("pressure mem", SHARE, "pressure_memory_percent"),
    Series("pressure io", SHARE, "pressure_io_percent"),
)
CPU, TESTS, STRESS, REST = range(4)
RATES = [at for at, series in enumerate(SERIES) if series.unit is RATE]


class MinuteLine(NamedTuple):
    """A series over the last minute.

    Attributes:
        series: The series.
        points: Means over equal times, the newest last; None where nothing is known.
        now: The mean of the last second, or of the last row where that is longer; None if that row has no value.
        most: The highest mean of half a second.
    """

    series: Series
    points: Sequence[float | None]
    now: float | None
    most: float | None


def epoch_of(row: Row) -> float | None:
    """Return the start of the run of a row, in seconds since 1970; None if it cannot be read."""
    try:
        epoch = datetime.fromisoformat(row["timestamp"]).timestamp() - float(row["elapsed_s"])
    except (KeyError, ValueError, OverflowError):
        return None
    return epoch if math.isfinite(epoch) else None


class RunFilter:
    """Selects the rows of one run from a file with several: of a given run, or of the latest.

    Attributes:
        only: The start of the wanted run, in seconds since 1970; None for the latest.
    """

    def __init__(self, only: float | None, forget: Callable[[], None], since_s: float = 0.0) -> None:
        """Start; `forget` is called when a later run replaces the one before.

        Rows of the run before `since_s` are left out too.
        """
        self.only, self._epoch, self._forget = only, only, forget
        self._since_s = since_s

    def has(self, row: Row) -> bool:
        """Tell whether a row belongs to the run; a row without a time does not."""
        epoch = epoch_of(row)
        if epoch is None or (self.only is not None and abs(epoch - self.only) > SAME_RUN_S):
            return False
        if float(row["elapsed_s"]) < self._since_s:
            return False
        if self._epoch is not None and abs(epoch - self._epoch) > SAME_RUN_S:
            self._forget()
        self._epoch = epoch
        return True


class LastMinute:
    """The samples of one run; those of a later run in the same file replace them.

    Attributes:
        rows: The number of rows.
        missed: The number of rows that the sampler missed.
        elapsed_s: The time of the newest row; None before the first.
    """

    def __init__(self, interval: float | None = None, epoch: float | None = None, since_s: float = 0.0) -> None:
        """Start without a row.

        Args:
            interval: Seconds between two rows; None derives it from the rows.
            epoch: Start of the run, in seconds since 1970: rows of other runs are left out; None is the latest run.
            since_s: Rows before this time of the run are left out too.
        """
        self._interval, self._run = interval, RunFilter(epoch, self._begin, since_s)
        self._begin()

    def _begin(self) -> None:
        self.rows = self.missed = 0
        self.elapsed_s: float | None = None
        self._spans: deque[float] = deque(maxlen=BINS)
        self._bins: dict[int, tuple[list[float], list[float]]] = {}  # by time: sums of value and time, times
        self._known: set[int] = set()
        self._last: list[float | None] = [None] * len(SERIES)
        self._amounts = ReadingTracker(OFTEN_S)  # in which those of all rates are told

    @property
    def interval(self) -> float | None:
        """Seconds between two rows; None while unknown."""
        return self._interval or (median(self._spans) if self._spans else self.elapsed_s)

    def skip(self, rows: int) -> None:
        """Count rows that were not read."""
        if self._run.only is None:
            self.rows += rows

    def add(self, row: Row) -> None:
        """Add a row of the dataset; a row without a time is left out."""
        if not self._run.has(row):
            return
        at, before = float(row["elapsed_s"]), self.elapsed_s
        self.rows += 1
        if before is not None and at <= before:
            return
        span = None if before is None else at - before
        if span is not None and span > max(SPAN_S, PAUSE * (self.interval or 0.0)):
            span, self._amounts = None, ReadingTracker(OFTEN_S)  # a recording that went on later: nobody was late
        if span is not None:
            self._spans.append(span)
            self.missed += max(0, math.floor(span / (self.interval or span) + 0.05) - 1)
        self.elapsed_s = at
        values = self._values(row)
        self._spread(at - (span or BIN_S), at, values)
        for place, rate in self._rates(row, at).items():
            values[place] = rate
        self._last = values

    def lines(self, count: int) -> list[MinuteLine]:
        """Return the series of the last minute with so many points each, a divisor of `BINS`."""
        newest = max(self._bins, default=0)
        return [
            MinuteLine(series, self._points(at, count, newest), self._now(at, newest), self._most(at))
            for at, series in enumerate(SERIES)
            if at in self._known
        ]

    def _values(self, row: Row) -> list[float | None]:
        values: list[float | None] = []
        for at, series in enumerate(SERIES):
            value = _number(row.get(series.column))
            if value is not None and not series.is_part:
                self._known.add(at)
            values.append(None if at in RATES else value)
        cpu, tests, stress = values[CPU], values[TESTS], values[STRESS]
        if cpu is not None and (tests is not None or stress is not None):
            values[REST] = max(0.0, cpu - (tests or 0.0) - (stress or 0.0))
        if tests is not None or stress:  # where neither tests run nor loads, there is nothing to part
            self._known |= {at for at in (TESTS, STRESS, REST) if values[at] is not None}
        return values

    def _rates(self, row: Row, at: float) -> dict[int, float | None]:
        """Return the rates since the last reading of the counters; those of the last row if this row has no reading."""
        amounts = {place: _number(row.get(SERIES[place].column)) for place in RATES}
        begin = self._amounts.begin(at, sum(filter(None, amounts.values())))
        if not self._amounts.is_read:
            return {place: self._last[place] for place in RATES}
        if begin == UNKNOWN:
            return dict.fromkeys(RATES)
        rates = {place: None if amount is None else amount / (at - begin) for place, amount in amounts.items()}
        self._spread(begin, at, [rates.get(place) for place in range(len(SERIES))])
        return rates

    def _spread(self, since: float, until: float, values: Sequence[float | None]) -> None:
        """Add values to the bins of the time that a row covers, which is the time before it."""
        last = int(until / BIN_S)
        for index in range(max(int(since / BIN_S), last - BINS), last + 1):
            overlap = min(until, (index + 1) * BIN_S) - max(since, index * BIN_S)
            if overlap <= 0:
                continue
            sums, times = self._bins.setdefault(index, ([0.0] * len(SERIES), [0.0] * len(SERIES)))
            for at, value in enumerate(values):
                if value is not None:
                    sums[at] += value * overlap
                    times[at] += overlap
        for index in [index for index in self._bins if index < last - BINS]:
            del self._bins[index]

    def _mean(self, at: int, since: int, until: int) -> float | None:
        """Return the mean over the bins from `since` to `until`."""
        total = time = 0.0
        for index in range(since, until):
            if index in self._bins:
                sums, times = self._bins[index]
                total += sums[at]
                time += times[at]
        return total / time if time else None

    def _points(self, at: int, count: int, newest: int) -> list[float | None]:
        """Return means with fixed borders, so that the line moves without flicker as time goes on."""
        size = BINS // count
        end = newest // size + 1
        return [self._mean(at, place * size, (place + 1) * size) for place in range(end - count, end)]

    def _now(self, at: int, newest: int) -> float | None:
        return None if self._last[at] is None else self._mean(at, newest - NOW_BINS + 1, newest + 1)

    def _most(self, at: int) -> float | None:
        return max((sums[at] / times[at] for sums, times in self._bins.values() if times[at]), default=None)


def _number(cell: str | None) -> float | None:
    try:
        value = float(cell or "nan")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
