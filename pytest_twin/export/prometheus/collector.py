"""The metrics of a run for prometheus_client: a collector that reads the new rows of the run at each scrape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from threading import Lock
from typing import TYPE_CHECKING

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
)
from prometheus_client.registry import Collector, CollectorRegistry

from pytest_twin.export.prometheus.metrics import COUNTER, GAUGE, INFO, Metric
from pytest_twin.export.prometheus.run_metrics import (
    HistogramValue,
    MetricOptions,
    MetricSeries,
    RunMetrics,
    buckets_of,
)
from pytest_twin.run_folder.layout import FINGERPRINT
from pytest_twin.run_folder.stream import RunStream

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric as Family

    from pytest_twin.run_folder.folder import RunFolder


class RunCollector(Collector):
    """Collects the metrics of a run that goes on, or is over.

    Attributes:
        error: Why the files of the run could not be read the last time; empty if they could.
    """

    def __init__(self, folder: RunFolder | None, options: MetricOptions, epoch: float | None = None) -> None:
        """Prepare to read a run folder, which need not exist yet.

        Args:
            folder: The run; None until `follow` is called.
            options: What is exported.
            epoch: Start of the run, in seconds since 1970; None is the latest run in the folder.
        """
        self._stream: RunStream | None = None
        self._options = options
        self._lock = Lock()  # a scrape is served by a thread of its own
        self.error = ""
        if folder is not None:
            self.follow(folder, epoch)

    def follow(self, folder: RunFolder, epoch: float | None = None) -> None:
        """Read this run from now on."""
        with self._lock:
            self._stream, self._metrics = RunStream(folder), RunMetrics(self._options, epoch)

    def expect(self, tests: int) -> None:
        """Take the number of tests that were collected, of the run that is read."""
        with self._lock:
            if self._stream is not None:
                self._metrics.collected = tests

    @property
    def is_following(self) -> bool:
        """Whether there is a run to read."""
        return self._stream is not None

    def read(self) -> None:
        """Read the new rows, so that a scrape after a long time does not have to read all of them."""
        with self._lock:
            if self._stream is None:
                return
            try:
                self._metrics.add(self._stream)
            except (OSError, ValueError) as error:
                self.error = str(error)
                return
            self.error = ""
            if self._metrics.fingerprint is None:
                self._metrics.fingerprint = self._stream.folder.document(FINGERPRINT)

    def complete(self, at: float) -> None:
        """Add the time of the end of the run, in seconds since 1970."""
        if self._stream is not None:
            self._metrics.completed = at

    def collect(self) -> Iterator[Family]:
        """Yield the families of the metrics, as a registry asks for them."""
        self.read()
        if self._stream is None:
            return
        with self._lock:
            found, has_hosts = list(self._metrics.series()), self._metrics.has_hosts
        yield from families(found, has_hosts=has_hosts)

    def close(self) -> None:
        """Close the files."""
        if self._stream is not None:
            self._stream.close()

    def registry(self) -> CollectorRegistry:
        """Return a registry with this collector alone."""
        own = CollectorRegistry()
        own.register(self)
        return own

    def describe(self) -> list[Family]:
        """Return no family: a registry would collect at its registration otherwise."""
        return []


def families(series: Iterable[MetricSeries], *, has_hosts: bool) -> Iterator[Family]:
    """Yield a family of prometheus_client for each metric."""
    by_metric: dict[Metric, list[MetricSeries]] = {}
    for each in series:
        by_metric.setdefault(each.metric, []).append(each)
    for metric, found in by_metric.items():
        names = found[0].label_names(has_hosts)
        yield _family(metric, names, [(each.label_values(has_hosts), each.value) for each in found])


def _family(metric: Metric, names: list[str], found: list[tuple[list[str], float | HistogramValue]]) -> Family:
    if metric.type == INFO:
        info = InfoMetricFamily(metric.name, metric.help)
        for labels, _ in found:
            info.add_metric([], dict(zip(names, labels, strict=True)))
        return info
    if metric.type in {COUNTER, GAUGE}:
        of_type = CounterMetricFamily if metric.type == COUNTER else GaugeMetricFamily
        family = of_type(metric.name, metric.help, labels=names)
        for labels, value in found:
            assert not isinstance(value, HistogramValue)  # noqa: S101 - for the type checker
            family.add_metric(labels, value)
        return family
    histogram = HistogramMetricFamily(metric.name, metric.help, labels=names)
    for labels, value in found:
        assert isinstance(value, HistogramValue)  # noqa: S101 - for the type checker
        histogram.add_metric(labels, buckets_of(metric, value), value.sum)
    return histogram
