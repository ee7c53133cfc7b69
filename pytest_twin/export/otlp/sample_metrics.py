"""The samples of a run as metrics: by the semantic conventions where they have a name, else by the column's."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from pytest_twin.export.otlp.attributes import PREFIX
from pytest_twin.export.otlp.run_rows import EpochAxis
from pytest_twin.model.columns import ELAPSED, TIMESTAMP, Column
from pytest_twin.model.csv_text import parse_number
from pytest_twin.model.event import HOST

GAUGE, COUNTER, UP_DOWN = "gauge", "counter", "up-down"  # the last is a sum that may fall
MIB, GIB, SHARE = 2.0**20, 2.0**30, 0.01
UNITS = {"%": "%", "MiB": "MiBy", "GiB": "GiBy", "°C": "Cel", "MHz": "MHz", "s": "s", "": "1"}  # to those of UCUM
ROOT = {"system.filesystem.mountpoint": "/"}
GROUP = PREFIX + "process_group"  # of the metrics of processes: the tests or the stressors
_OF_A_CORE = re.compile(r"cpu(\d+)_percent", re.ASCII)


class OtlpMetric(NamedTuple):
    """The metric that a column becomes.

    Attributes:
        name: Its name.
        unit: Its unit, by UCUM.
        kind: `GAUGE`, `COUNTER` or `UP_DOWN`.
        factor: By which values of the column are multiplied.
        attributes: The attributes of its points.
    """

    name: str
    unit: str
    kind: str
    factor: float = 1.0
    attributes: Mapping[str, str] = {}


def _processes(group: str) -> dict[str, OtlpMetric]:
    """Return the metrics of a group of processes."""
    own = {GROUP: group}
    return {
        f"{group}_cpu_percent": OtlpMetric("process.cpu.utilization", "1", GAUGE, SHARE, own),
        f"{group}_resident_MB": OtlpMetric("process.memory.usage", "By", UP_DOWN, MIB, own),
        f"{group}_thread_count": OtlpMetric("process.thread.count", "{thread}", UP_DOWN, 1.0, own),
        f"{group}_open_files": OtlpMetric("process.unix.file_descriptor.count", "{file_descriptor}", UP_DOWN, 1.0, own),
        f"{group}_read_MB": OtlpMetric("process.disk.io", "By", COUNTER, MIB, {**own, "disk.io.direction": "read"}),
        f"{group}_write_MB": OtlpMetric("process.disk.io", "By", COUNTER, MIB, {**own, "disk.io.direction": "write"}),
    }


METRICS: Mapping[str, OtlpMetric] = {
    **{
        f"cpu_{mode}_percent": OtlpMetric("system.cpu.utilization", "1", GAUGE, SHARE, {"cpu.mode": mode})
        for mode in ("user", "system", "iowait", "steal")
    },
    "cpu_count_logical": OtlpMetric("system.cpu.logical.count", "{cpu}", UP_DOWN),
    "cpu_count_physical": OtlpMetric("system.cpu.physical.count", "{cpu}", UP_DOWN),
    "cpu_frequency_MHz": OtlpMetric("system.cpu.frequency", "Hz", GAUGE, 1e6),
    "ram_total_GB": OtlpMetric("system.memory.limit", "By", UP_DOWN, GIB),
    "ram_used_percent": OtlpMetric("system.memory.utilization", "1", GAUGE, SHARE, {"system.memory.state": "used"}),
    "swap_used_percent": OtlpMetric("system.paging.utilization", "1", GAUGE, SHARE, {"system.paging.state": "used"}),
    "disk_total_GB": OtlpMetric("system.filesystem.limit", "By", UP_DOWN, GIB, ROOT),
    "disk_used_percent": OtlpMetric(
        "system.filesystem.utilization", "1", GAUGE, SHARE, {**ROOT, "system.filesystem.state": "used"}
    ),
    "disk_read_MB": OtlpMetric("system.disk.io", "By", COUNTER, MIB, {"disk.io.direction": "read"}),
    "disk_write_MB": OtlpMetric("system.disk.io", "By", COUNTER, MIB, {"disk.io.direction": "write"}),
    "net_sent_MB": OtlpMetric("system.network.io", "By", COUNTER, MIB, {"network.io.direction": "transmit"}),
    "net_recv_MB": OtlpMetric("system.network.io", "By", COUNTER, MIB, {"network.io.direction": "receive"}),
    "process_count": OtlpMetric("system.process.count", "{process}", UP_DOWN),
    **_processes("tests"),
    **_processes("stress"),
}
NO_METRICS = {TIMESTAMP.name, ELAPSED.name, HOST}


@dataclass(slots=True)
class SampleSeries:
    """The points of one column.

    Attributes:
        metric: The metric that it becomes.
        start: The start of the run, from which amounts are added up, in nanoseconds since 1970.
        points: The times, and the values.
        total: The sum of an amount so far.
    """

    metric: OtlpMetric
    start: int
    points: list[tuple[int, float]] = field(default_factory=list)
    total: float = 0.0

    @property
    def is_monotonic(self) -> bool:
        """Whether the value never falls."""
        return self.metric.kind == COUNTER

    def add(self, at: int, values: Sequence[float]) -> None:
        """Add a point for the values of some rows, the last of which is at this time."""
        if self.is_monotonic:
            self.total += sum(values)
            value = self.total
        else:
            value = sum(values) / len(values) if self.metric.kind == GAUGE else values[-1]
        self.points.append((at, value * self.metric.factor))


def metric_of(column: str, declared: Mapping[str, Column]) -> OtlpMetric:
    """Return the metric that a column becomes."""
    if column in METRICS:
        return METRICS[column]
    if match := _OF_A_CORE.fullmatch(column):
        return OtlpMetric(PREFIX + "cpu_core_percent", "%", GAUGE, 1.0, {"cpu.logical_number": match[1]})
    known = declared.get(column)
    kind = COUNTER if known is not None and known.is_amount else GAUGE
    return OtlpMetric(PREFIX + column, UNITS.get(known.unit, known.unit) if known else "1", kind)


def collect_series(
    samples: Iterable[tuple[Sequence[str], Sequence[str]]], declared: Mapping[str, Column], most: int | None = None
) -> list[SampleSeries]:
    """Return the series of a host.

    Args:
        samples: The names of the columns and the cells of each sample.
        declared: The declared columns by name.
        most: The highest number of points of a series: of more samples, several become one point, with the mean of a
            level or a share; None is no limit.
    """
    rows = list(samples)
    times = (dict(zip(names, cells, strict=True)) for names, cells in rows[:100])
    axis = EpochAxis((row.get(TIMESTAMP.name, ""), row.get(ELAPSED.name, "")) for row in times)
    step = 1 if most is None else max(1, -(-len(rows) // most))
    found: dict[str, SampleSeries] = {}
    for first in range(0, len(rows), step):
        _add_rows(rows[first : first + step], found, declared, axis)
    return [series for series in found.values() if series.points]


def _add_rows(
    rows: Sequence[tuple[Sequence[str], Sequence[str]]],
    found: dict[str, SampleSeries],
    declared: Mapping[str, Column],
    axis: EpochAxis,
) -> None:
    """Add a point for some rows to each series that has a value there."""
    values: dict[str, list[float]] = {}
    at = None
    for names, cells in rows:
        row = dict(zip(names, cells, strict=True))
        at = axis.ns(row.get(TIMESTAMP.name, ""), row.get(ELAPSED.name, "")) or at
        for name, cell in row.items():
            if cell and name not in NO_METRICS and (value := parse_number(cell)) is not None:
                values.setdefault(name, []).append(value)
    if at is None:
        return
    for name, own in values.items():
        if name not in found:
            found[name] = SampleSeries(metric_of(name, declared), axis.ns("", "0") or at)
        found[name].add(at, own)
