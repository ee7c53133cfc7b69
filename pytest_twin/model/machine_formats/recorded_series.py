"""Put series of values together: rates from amounts and totals, gaps as rows without values, one frame."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_twin.model import running_totals
from pytest_twin.model.counter_window import OFTEN_S, readings
from pytest_twin.model.machine_formats.column_meaning import AMOUNT, COUNTER, SHARE
from pytest_twin.model.machine_recording import GAP_BEFORE, RESOURCES, MachineRecording

if TYPE_CHECKING:
    import numpy as np

    Values = np.ndarray[Any, np.dtype[np.float64]]

FASTEST_DISK = 16e9  # bytes a second: the bandwidth of four lanes of PCIe 5, which a device has
SLIGHTLY_OVER = 1.1  # of a share; rounding and late samples can turn 1 into this
GAP = 2.5  # times the median interval: at least one row is missing
MAX_ROWS_REPORTED = 3


class RecordingError(ValueError):
    """A text is no recording of a machine, or a recording has not what is wanted of it.

    Attributes:
        problems: All problems, a line each.
    """

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


class NoTimesError(RecordingError):
    """A text is no table of times, which any recording is."""


def rows_error(problems: Sequence[str]) -> RecordingError:
    """Return an error that reports the first problems and the number of the others."""
    more = len(problems) - MAX_ROWS_REPORTED
    reported = problems[: MAX_ROWS_REPORTED + (more == 1)]
    return RecordingError([*reported, *([f"and {more} more rows"] if more > 1 else [])])


class RecordedSeries(NamedTuple):
    """The values of a column, in bytes or shares.

    Attributes:
        resource: The resource that they show.
        form: One of the forms of `ColumnMeaning`.
        label: The name of the column.
        numbers: A value for each time, NaN where there is none.
        source: What was made of the column, for people.
    """

    resource: str
    form: str
    label: str
    numbers: Values
    source: str


@dataclass
class TimedSeries:
    """Series of one recording, which are forgotten when it is made.

    Attributes:
        times: The end of the interval of each value in seconds, from any origin; not falling.
        start: The time of the first of them; None where it is not known.
        series: The series.
        line: Returns the line of a row in the file.
        first_s: The length of the first interval; None if it is as long as the second.
        remarks: How ambiguous rows were read.
    """

    times: Values
    start: datetime | None
    series: Sequence[RecordedSeries]
    line: Callable[[int], int]
    first_s: float | None = None
    remarks: list[str] = field(default_factory=list)

    def recording(self) -> MachineRecording:
        """Return them as a recording.

        Raises:
            RecordingError: The times cannot be distinguished, or a value is impossible.
        """
        import numpy as np

        with np.errstate(all="ignore"):  # what is infinite is refused
            return self._recording()

    def _recording(self) -> MachineRecording:
        import numpy as np

        steps = np.diff(self.times)
        rises = steps[steps > 0]
        first = self.first_s or (float(rises[0]) if len(rises) else 0.0)
        ends = self.times - self.times[0] + first
        if first <= 0 or not math.isfinite(ends[-1]) or ((np.diff(ends) > 0) != (steps > 0)).any():
            raise RecordingError(["has times that are too far apart, or too close to each other, to be distinguished"])
        unique, rows = (ends, None) if len(rises) == len(steps) else np.unique(ends, return_inverse=True)
        columns: dict[str, list[Values]] = {}
        sources: dict[str, str] = {}
        series, self.series = list(self.series), ()
        while series:  # each is forgotten when its values are known: a long recording takes its memory once
            each = series.pop(0)
            values = self._values(each, unique, rows, first)
            columns.setdefault(each.resource, []).append(values)
            sources[each.resource] = " + ".join(filter(None, (sources.get(each.resource), each.source)))
        together = {name: self._together(name, columns.pop(name), sources[name]) for name in list(columns)}
        return self._framed(unique, first, together, sources)

    def _framed(
        self, ends: Values, first: float, columns: Mapping[str, Values], sources: Mapping[str, str]
    ) -> MachineRecording:
        import numpy as np
        import pandas as pd

        interval = float(np.median(np.diff(ends, prepend=0.0)))
        before = np.flatnonzero(np.diff(ends) > GAP * interval) + 1
        ordered = {name: columns[name] for name in RESOURCES if name in columns}
        frame = pd.DataFrame(ordered, index=ends, dtype=float, copy=False)
        if len(before):
            longest = int(before[np.argmax(ends[before] - ends[before - 1])])
            length = float(ends[longest] - ends[longest - 1])
            place = f"row {self.line(longest)}: {GAP_BEFORE} {length:.10g} s before it"
            self.remarks.append(f"{place}; gaps have no values ({len(before)} in all)")
            frame = pd.concat([frame, pd.DataFrame(index=ends[before] - interval, columns=frame.columns, dtype=float)])
            frame = frame.sort_index()
        frame.index.name = "elapsed_s"
        start = None
        if self.start is not None:
            from datetime import timedelta

            start = self.start - timedelta(seconds=first)
        return MachineRecording(frame, start, interval, dict(sources), tuple(dict.fromkeys(self.remarks)))

    def _values(self, series: RecordedSeries, ends: Values, rows: Any, first: float) -> Values:
        """Return a value for each end; those of one time are combined."""
        import numpy as np

        if series.form == SHARE and series.resource != "mem":
            self._require_share(series)
        values = series.numbers
        if series.form in (AMOUNT, COUNTER):
            return self._rates(series, ends, rows, first)
        if rows is not None:
            found = ~np.isnan(values)
            sums = np.bincount(rows[found], values[found], len(ends))
            counts = np.bincount(rows[found], minlength=len(ends))
            values = np.divide(sums, counts, out=np.full(len(ends), np.nan), where=counts > 0)
        self._tell_limits(series)
        return np.clip(values, 0.0, 1.0 if series.form == SHARE else None, out=values)

    def _tell_limits(self, series: RecordedSeries) -> None:
        """Add a remark where values are below 0, or a share is clearly above 1."""
        import numpy as np

        limits = [("below 0", series.numbers < 0, "0")]
        if series.form == SHARE:
            limits.append(("above 100 %", series.numbers > SLIGHTLY_OVER, "100 %"))
        for what, beyond, limit in limits:
            if beyond.any():
                place = f"row {self.line(int(np.argmax(beyond)))}: {series.source} is {what}"
                self.remarks.append(f"{place}; it is read as {limit} ({np.count_nonzero(beyond)} in all)")

    def _require_share(self, series: RecordedSeries) -> None:
        import numpy as np

        if series.label.casefold() == "cpu_percent":
            return  # of one process it is a share of one CPU: cut
        over = np.flatnonzero(series.numbers > SLIGHTLY_OVER)
        if len(over):
            place = f"row {self.line(int(over[0]))}: {series.label}"
            value = f"{series.numbers[over[0]] * 100:.10g} is not a CPU percentage"
            names = "cpu_percent, ram_used_percent, disk_write_MB"
            raise RecordingError([f"{place}: {value}; name the column after what it has: {names}"])

    def _rates(self, series: RecordedSeries, ends: Values, rows: Any, first: float) -> Values:
        """Return amounts, or the growth of totals, as rates; each is spread over the time since the last reading."""
        import numpy as np

        sums, totals, known = _combined(series.numbers, rows, len(ends))
        times = ends[known]
        is_total = series.form == COUNTER
        if not is_total and len(times) > 2 and _may_be_total(totals[known]):
            longest = FASTEST_DISK * float(np.diff(times, prepend=times[0] - first).min())
            is_total = running_totals.is_running_total(totals[known].tolist(), longest)
            if is_total:
                low, high = (f"{totals[known][at] / _unit(series):g}" for at in (0, -1))
                self.remarks.append(f"{series.label} is a running total ({low} to {high}): its growth is read")
        if not is_total:
            self._tell_limits(series)
        amounts = np.maximum((totals if is_total else sums)[known], 0.0)
        begins = np.concatenate([times[:1] - first, times[:-1]])
        if is_total:
            grown = np.diff(amounts)
            if (grown < 0).any():
                at = int(np.flatnonzero(known)[int(np.flatnonzero(grown < 0)[0]) + 1])
                place = f"row {self.line(at)}: {series.label} begins anew"
                self.remarks.append(f"{place}; its growth is counted from 0 ({int((grown < 0).sum())} in all)")
            amounts = np.concatenate([[np.nan], np.where(grown < 0, amounts[1:], grown)])
        rates = amounts / (times - begins)
        if len(times) and (times - begins).min() < OFTEN_S:
            rates = _seldom_read(times, amounts, first)
        values = np.full(len(ends), np.nan)
        values[known] = rates
        self._require_possible(series, values, rows)
        return values

    def _require_possible(self, series: RecordedSeries, rates: Values, rows: Any) -> None:
        import numpy as np

        if not np.nanmax(rates, initial=0.0) > FASTEST_DISK:
            return
        at = int(np.nanargmax(rates))
        row = at if rows is None else int(np.flatnonzero(rows == at)[0])
        verb = {"disk_read": "no disk reads", "disk_write": "no disk writes"}.get(series.resource, "no network has")
        rate = f"{rates[at] / 1e9:.4g} GB/s, but {verb} more than {FASTEST_DISK / 1e9:g} GB/s"
        raise RecordingError([f"row {self.line(row)}: {series.label}: is a rate of {rate}; give the MB of each row"])

    def _together(self, resource: str, found: Sequence[Values], source: str) -> Values:
        """Return several series of one resource as one: shares as their mean, and bytes as their sum."""
        import numpy as np

        if len(found) == 1:
            return found[0]
        is_share = RESOURCES[resource].unit == "share"
        self.remarks.append(f"{resource} is the {'mean' if is_share else 'sum'} of {source}")
        stack = np.vstack(found)
        known = ~np.isnan(stack)
        sums, counts = np.where(known, stack, 0.0).sum(0), known.sum(0)
        return np.where(counts > 0, sums / np.maximum(counts, 1) if is_share else sums, np.nan)


def _combined(values: Values, rows: Any, length: int) -> tuple[Values, Values, Any]:
    """Return the sums and the maxima of the values of each time, and which times have one."""
    import numpy as np

    found = ~np.isnan(values)
    if rows is None:
        return values, values, found
    sums = np.bincount(rows[found], values[found], length).astype(float)
    totals = np.full(length, -np.inf)
    np.maximum.at(totals, rows[found], values[found])
    return sums, totals, np.isfinite(totals)


def _may_be_total(totals: Values) -> bool:
    """Tell whether a column may be a running total, which seldom falls; soon, for long columns."""
    import numpy as np

    steps = np.diff(totals)
    falls, rises = int((steps < 0).sum()), int((steps > 0).sum())
    return rises > 0 and (falls < 2 or rises >= running_totals.RISES_A_RESET * falls)


def _unit(series: RecordedSeries) -> float:
    return 2.0**20 if series.label.casefold().endswith("_mb") else 1.0


def _seldom_read(times: Values, amounts: Values, first: float) -> Values:
    """Return rates of a counter that was not read for every row: each reading is spread over the rows before it."""
    import numpy as np

    rates = np.full(len(times), np.nan)
    all_times = [float(times[0]) - first, *times.tolist()]
    all_amounts = [0.0, *np.nan_to_num(amounts).tolist()]
    done = 0
    for row, begin in readings(all_times, all_amounts, OFTEN_S):
        rates[done:row] = all_amounts[row] / (all_times[row] - begin)
        done = row
    return rates
