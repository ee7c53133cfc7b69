"""Export the history of a run in the OpenMetrics text format, with time stamps.

``promtool tsdb create-blocks-from openmetrics`` makes blocks of it for a Prometheus of one's own. The metrics are those
that a scrape of the run has, at the time of each sample.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from heapq import merge
from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from pytest_twin.export.prometheus.metrics import JOB, Metric
from pytest_twin.export.prometheus.run_metrics import (
    HistogramValue,
    MetricOptions,
    MetricSeries,
    RunMetrics,
    buckets_of,
)
from pytest_twin.run_folder.stream import RunStream

if TYPE_CHECKING:
    from pytest_twin.analysis.run.run_summary import RunSummary
    from pytest_twin.run_folder.folder import RunFolder

FILE = "run.openmetrics"
BEGINNING = "# HELP pytest_twin_"
REPEAT_S = 60.0  # a value that stays is repeated: a query takes a series for gone after five minutes without one

Row = Mapping[str, str]


class SeriesName(NamedTuple):
    """What tells a series of a metric from its others.

    Attributes:
        metric: The metric.
        name: The name in the file: that of the metric, with a suffix.
        labels: The labels with their values.
    """

    metric: Metric
    name: str
    labels: tuple[tuple[str, str], ...]


class ValueHistory:
    """The values of one series over time, without those that are as before."""

    def __init__(self) -> None:
        self._times, self._values = array("d"), array("d")

    def add(self, at: float, value: float) -> None:
        """Add a value."""
        if not self._times or value != self._values[-1] or at - self._times[-1] >= REPEAT_S:
            self._times.append(at)
            self._values.append(value)

    def __iter__(self) -> Iterator[tuple[float, float]]:
        return iter(zip(self._times, self._values, strict=True))


def lines(summary: RunSummary) -> Iterator[str]:
    """Yield the file."""
    from pytest_twin.run_folder.folder import RunFolder

    path = summary.run.path
    folder = RunFolder(path if path.is_dir() else path.parent)
    histories = _histories(folder, summary)
    for metric, names in groupby(sorted(histories, key=lambda each: each.metric.name), key=lambda each: each.metric):
        yield f"# HELP {metric.name} {_escaped(metric.help)}\n# TYPE {metric.name} {metric.type}\n"
        for name in names:
            labels = ",".join(f'{label}="{_escaped(value)}"' for label, value in name.labels)
            for at, value in histories[name]:
                yield f"{name.name}{{{labels}}} {value!r} {at:.3f}\n"
    yield "# EOF\n"


def _histories(folder: RunFolder, summary: RunSummary) -> dict[SeriesName, ValueHistory]:
    found: dict[SeriesName, ValueHistory] = {}
    run = RunMetrics(MetricOptions(has_host=True))
    run.fingerprint = summary.run.fingerprint
    place = (("job", JOB), ("instance", folder.path.resolve().name))
    has_hosts = bool(summary.hosts)
    with closing(RunStream(folder)) as stream:
        for _ in _play(stream, run):
            if run.last_sample is not None:
                for each in run.series():
                    for name, value in _values(each, place, has_hosts=has_hosts):
                        found.setdefault(name, ValueHistory()).add(run.last_sample, value)
    return found


def _play(stream: RunStream, run: RunMetrics) -> Iterator[None]:
    """Add the rows of a run in the order of time, and yield after each sample of pytest's own host."""
    others = sorted(
        [
            *((_time(row), run.add_event, row) for row in stream.events()),
            *((_time(row) + float(row["duration_s"] or 0), run.add_test, row) for row in stream.tests()),
        ],
        key=lambda each: each[0],
    )
    others.reverse()
    samples = (((_time(row), name, row) for row in stream.samples_of(folder)) for name, folder in stream.hosts())
    for at, host, row in merge(*samples, key=lambda each: each[0]):
        while others and others[-1][0] <= at:
            _, add, other = others.pop()
            add(other)
        run.add_sample(host, row)
        if not host:
            yield
    for _, add, other in reversed(others):  # of a run that was killed
        add(other)
    yield


def _time(row: Row) -> float:
    return float(row["elapsed_s"] or 0)


def _values(
    series: MetricSeries, place: tuple[tuple[str, str], ...], *, has_hosts: bool
) -> Iterable[tuple[SeriesName, float]]:
    """Return each line of a series in a scrape: one, or those of a histogram."""
    metric, value = series.metric, series.value
    labels = (*zip(series.label_names(has_hosts), series.label_values(has_hosts), strict=True), *place)
    if not isinstance(value, HistogramValue):
        return [(SeriesName(metric, metric.full_name, labels), float(value))]
    buckets = buckets_of(metric, value)
    return [
        *((SeriesName(metric, f"{metric.name}_bucket", (*labels, ("le", bound))), count) for bound, count in buckets),
        (SeriesName(metric, f"{metric.name}_count", labels), buckets[-1][1]),
        (SeriesName(metric, f"{metric.name}_sum", labels), value.sum),
    ]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')
