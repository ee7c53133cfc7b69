"""A recording as a load: what its rows show, as profiles over time.

From a recorded dataset the CPU is asked for as it was (``cpu_percent``), memory as far as it rose above its lowest
level (``ram_used_percent``), and the disk as much as was written (``disk_write_MB``). A mere two-column file,
``timestamp,value``, is taken for CPU per cent.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import pairwise

from pytest_twin.model.load import Kinds, Load, Part
from pytest_twin.model.quoting import quoted
from pytest_twin.model.window import OFTEN_S, readings
from pytest_twin.stressors.kind import RATE, SHARE
from pytest_twin.stressors.profile import Points

Rows = Sequence[Mapping[str, str]]
Series = list[tuple[float, float]]


class ReplayError(ValueError):
    """A file cannot be replayed."""


def replayed(rows: Rows, name: str, kinds: Kinds) -> tuple[Load, float]:
    """The load that a recording shows, and the seconds that it lasts.

    Raises:
        ReplayError: It has no two rows, no time, or nothing that can be replayed.
    """
    times = [_time(row) for row in rows]
    if len(times) < 2 or any(late <= early for early, late in pairwise(times)):
        raise ReplayError("needs at least two rows, in the order of their time (elapsed_s or timestamp)")
    step = times[1] - times[0]
    times = [at - times[0] + step for at in times]  # a row tells of the time before it
    if not math.isfinite(times[-1]) or any(late <= early for early, late in pairwise(times)):
        raise ReplayError("has times that are too far apart, or too close to each other, to be told apart")
    parts = []
    for keyword, (columns, unit, profile) in _SHOWN.items():
        series = next((found for column in columns if (found := _series(times, rows, column))), [])
        if keyword in kinds and series and (points := profile(series, step)) and max(value for _, value in points) > 0:
            parts.append(Part(kinds[keyword], name, unit, tuple(points)))
    if not parts:
        raise ReplayError(f"has none of {', '.join(column for columns, _, _ in _SHOWN.values() for column in columns)}")
    return Load(tuple(parts)), times[-1]


def _time(row: Mapping[str, str]) -> float:
    try:
        if row.get("elapsed_s"):
            return _finite(row["elapsed_s"])
        moment = datetime.fromisoformat(row["timestamp"])
    except (KeyError, TypeError, ValueError):
        raise ReplayError(f"{quoted(dict(row))} has no time (elapsed_s or timestamp)") from None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _finite(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"{text} is not finite")
    return value


def _series(times: Sequence[float], rows: Rows, column: str) -> Series:
    """The values of a column where it has some."""
    series = []
    for at, row in zip(times, rows, strict=True):
        try:
            value = float(row.get(column) or "nan")
        except ValueError:
            raise ReplayError(f"{column}: {quoted(row[column])} is not a number") from None
        if math.isfinite(value):
            series.append((at, value))
    return series


def _cpu(series: Series, step: float) -> Points:
    """A row's share holds for the time that it tells of."""
    return _held([(at, min(max(value, 0.0), 100.0) / 100) for at, value in series], series[0][0] - step)


def _memory(series: Series, step: float) -> Points:
    """Only the rise: what is always in use is in use here too."""
    lowest = min(value for _, value in series)
    return [(at - step, min((value - lowest) / 100, 1.0)) for at, value in series]


def _disk(series: Series, step: float) -> Points:
    times, amounts = zip((series[0][0] - step, 0.0), *((at, max(value, 0.0)) for at, value in series), strict=True)
    found = readings(times, amounts, OFTEN_S)
    rates = [(times[row], amounts[row] * 2**20 / (times[row] - begin)) for row, begin in found]
    if any(math.isinf(rate) for _, rate in rates):
        raise ReplayError("disk_write_MB: more than any disk can write")
    return _held(rates, times[0])


def _held(series: Series, since: float) -> Points:
    points: Points = []
    for at, value in series:
        points += [(since, value), (at, value)]
        since = at
    return points


_SHOWN: dict[str, tuple[tuple[str, ...], str, Callable[[Series, float], Points]]] = {
    "cpu": (("cpu_percent", "value"), SHARE, _cpu),
    "mem": (("ram_used_percent",), SHARE, _memory),
    "disk": (("disk_write_MB",), RATE, _disk),
}
