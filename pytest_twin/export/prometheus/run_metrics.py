"""The values of the metrics of a run, computed row by row."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, NamedTuple

from pytest_twin.analysis.budgets import budget
from pytest_twin.analysis.run.minute import RunFilter, epoch_of
from pytest_twin.analysis.run.totals import OUTCOMES
from pytest_twin.export.prometheus import metrics
from pytest_twin.export.prometheus.metrics import COUNTER, Metric, SampledMetric
from pytest_twin.loads.amount_numbers import amount_numbers
from pytest_twin.loads.constraint import parse_constraint
from pytest_twin.loads.registry import keyword_of_type
from pytest_twin.loads.spec import LoadError
from pytest_twin.model import event
from pytest_twin.run_folder.stream import RunStream

Row = Mapping[str, str]
OTHER_TESTS = "other"
HOST = "host"
OWN_HOST = "main"  # the value of that label for the host of pytest itself
NO_LOAD = {event.TEST, event.PHASE, event.GAP, event.NOTE}
OVER = {event.END, event.ABORT, event.SKIP}


class MetricOptions(NamedTuple):
    """What is exported.

    Attributes:
        has_host: Whether the metrics of the whole host are exported too.
        tests: The number of tests with series of their own.
    """

    has_host: bool = False
    tests: int = 0


class HistogramValue(NamedTuple):
    """The value of a histogram.

    Attributes:
        counts: The number of observations in each bucket alone, the one up to infinity last.
        sum: The sum of all observations.
    """

    counts: tuple[int, ...]
    sum: float


class MetricSeries(NamedTuple):
    """A metric with its labels and its value.

    Attributes:
        metric: The metric.
        labels: The values of its labels.
        host: The host; empty for the host of pytest itself.
        value: The number, or the distribution of a histogram; an info has 1.
    """

    metric: Metric
    labels: tuple[str, ...]
    host: str
    value: float | HistogramValue

    def label_names(self, has_hosts: bool) -> list[str]:
        """Return the names of its labels, with that of the host in a run on several."""
        return [*self.metric.labels, *([HOST] if has_hosts else [])]

    def label_values(self, has_hosts: bool) -> list[str]:
        """Return the values of the same labels."""
        return [*self.labels, *([self.host or OWN_HOST] if has_hosts else [])]


@dataclass
class _Histogram:
    """A histogram that grows."""

    metric: Metric
    counts: list[int] = field(init=False)
    sum: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.metric.buckets) + 1)

    def observe(self, value: float) -> None:
        self.counts[bisect_left(self.metric.buckets, value)] += 1
        self.sum += value


class _OpenLoad(NamedTuple):
    """A load or a constraint that is applied: its keyword, its type in annotations.csv, and its amount as written."""

    kind: str
    type: str
    target: str


class _HostMetrics:
    """The values of one host."""

    def __init__(self, sampled: Iterable[SampledMetric]) -> None:
        self._sampled = tuple(sampled)
        self.samples = 0
        self.last_sample: float | None = None
        self.values: dict[tuple[Metric, tuple[str, ...]], float] = {}
        self._elapsed_s = 0.0
        self.loads: dict[str, _OpenLoad] = {}
        self.units: dict[tuple[str, str], None] = {}  # pairs of the kind and the unit of the loads so far
        self.achieved: dict[tuple[str, str], float] = {}
        self.ends: Counter[tuple[str, str]] = Counter()
        self.running: set[str] = set()
        self.outcomes = dict.fromkeys(OUTCOMES, 0)
        self.budgets = dict.fromkeys((budget.OK, budget.OVER, budget.UNKNOWN), 0)
        self.durations, self.cpu = _Histogram(metrics.TEST_DURATION), _Histogram(metrics.TEST_CPU)
        self.throttled_s = 0.0

    def add_sample(self, row: Row, epoch: float) -> None:
        elapsed_s = float(row["elapsed_s"])
        cpus = _number(row.get("cpu_count_logical"))
        cpu_seconds = 0.0 if cpus is None else cpus * max(0.0, elapsed_s - self._elapsed_s)
        for metric, column, value, factor, labels in self._sampled:
            key, cell = (metric, labels), _number(row.get(column))
            if metric.type == COUNTER:
                if cell is not None:
                    self.values[key] = self.values.get(key, 0.0) + value(cell, cpu_seconds, factor)
            elif cell is not None:
                self.values[key] = value(cell, cpu_seconds, factor)
            else:
                self.values.pop(key, None)  # missing is not the value before, nor zero
        self._elapsed_s, self.last_sample = elapsed_s, epoch + elapsed_s
        self.samples += 1

    def add_event(self, row: Row) -> None:
        what, number = row["event"], row["id"]
        if row["type"] == event.TEST:
            (self.running.add if what == event.START else self.running.discard)(number)
        elif row["type"] not in NO_LOAD and row["type"]:
            kind = keyword_of_type().get(row["type"], row["type"])
            if what == event.START:
                self.loads[number] = _OpenLoad(kind, row["type"], row["target"])
                self._unit_of(row, kind)
            elif what in OVER:
                self.loads.pop(number, None)
                self.ends[kind, what] += event.skipped_loads(row["detail"]) if what == event.SKIP else 1
                self._unit_of(row, kind)

    def _unit_of(self, row: Row, kind: str) -> None:
        """Keep the unit of the amounts of a load, and what it achieved."""
        if row["type"] == event.CONSTRAINT:
            return
        amount = amount_numbers(row["type"], row["target"], row["achieved"])
        unit, factor = metrics.AMOUNT_UNITS[amount.unit]
        if not (math.isnan(amount.asked) and math.isnan(amount.achieved)):
            self.units[kind, unit] = None
        if not math.isnan(amount.achieved):
            self.achieved[kind, unit] = amount.achieved * factor

    def add_test(self, row: Row) -> float:
        """Add an attempt of a test, and return the CPU time that it took."""
        outcome = row["outcome"]
        self.outcomes[outcome] = self.outcomes.get(outcome, 0) + 1
        if verdict := budget.verdict_of_cell(row.get("budget") or ""):
            self.budgets[verdict] += 1
        self.durations.observe(_number(row["duration_s"]) or 0.0)
        cpu_s = sum(_number(row[name]) or 0.0 for name in ("cpu_user_s", "cpu_system_s", "children_cpu_s"))
        self.cpu.observe(cpu_s)
        self.throttled_s += _number(row.get("throttled_s")) or 0.0
        return cpu_s

    def series(self) -> Iterator[tuple[Metric, tuple[str, ...], float | HistogramValue]]:
        for (metric, labels), value in self.values.items():
            yield metric, labels, value
        yield from self._of_loads()
        for outcome, count in self.outcomes.items():
            yield metrics.TESTS, (outcome,), count
        for verdict, count in self.budgets.items():
            yield metrics.BUDGETS, (verdict,), count
        yield metrics.TESTS_RUNNING, (), len(self.running)
        for each in (self.durations, self.cpu):
            yield each.metric, (), HistogramValue(tuple(each.counts), each.sum)
        yield metrics.THROTTLED, (), self.throttled_s
        yield metrics.SAMPLES, (), self.samples
        if self.last_sample is not None:
            yield metrics.LAST_SAMPLE, (), self.last_sample

    def _of_loads(self) -> Iterator[tuple[Metric, tuple[str, ...], float]]:
        active = Counter(load.kind for load in self.loads.values())
        for kind in dict.fromkeys((*(kind for kind, _ in self.ends), *active)):
            if kind != event.CONSTRAINT:
                yield metrics.LOAD_ACTIVE, (kind,), active[kind]
        for kind, unit in self.units:
            yield metrics.LOAD_TARGET, (kind, unit), self._requested(kind, unit)
        for (kind, unit), value in self.achieved.items():
            yield metrics.LOAD_ACHIEVED, (kind, unit), value
        for (kind, end), count in self.ends.items():
            yield metrics.LOADS, (kind, end), count
        limits = [_limits(load.target) for load in self.loads.values() if load.type == event.CONSTRAINT]
        yield metrics.CONSTRAINT_ACTIVE, (), len(limits)
        for metric, names in ((metrics.CONSTRAINT_CPUS, ("cpu", "cpus")), (metrics.CONSTRAINT_MEMORY, ("mem",))):
            if found := [float(each[name]) for each in limits for name in names if name in each]:
                yield metric, (), min(found)

    def _requested(self, kind: str, unit: str) -> float:
        found = (amount_numbers(load.type, load.target, "") for load in self.loads.values() if load.kind == kind)
        units = ((metrics.AMOUNT_UNITS[each.unit], each.asked) for each in found)
        return sum(asked * factor for (name, factor), asked in units if name == unit and not math.isnan(asked))


class RunMetrics:
    """The metrics of the latest run in a stream of rows."""

    def __init__(self, options: MetricOptions, epoch: float | None = None) -> None:
        """Begin without a row.

        Args:
            options: What is exported.
            epoch: Start of the run, in seconds since 1970; None is the latest run.
        """
        self._options = options
        self._filter = RunFilter(epoch, self._forget)
        self.fingerprint: Mapping[str, Any] | None = None
        self.completed: float | None = None
        self.collected: int | None = None
        self._forget()

    def _forget(self) -> None:
        self._sampled = metrics.OF_PROCESSES + (metrics.OF_HOST if self._options.has_host else ())
        self._hosts: dict[str, _HostMetrics] = {"": _HostMetrics(self._sampled)}
        self._epoch: float | None = None
        self._seen: set[tuple[str, ...]] = set()  # a row is read twice when the parts of workers are merged
        self._of_tests: dict[str, tuple[float, float]] = {}
        self._ended: set[str] = set()  # the node IDs of tests

    def add(self, stream: RunStream) -> None:
        """Add the new rows of a stream.

        Raises:
            OSError: A file exists and cannot be read.
            ValueError: A file is not CSV.
        """
        for host, row in stream.samples():
            self.add_sample(host, row)
        for row in stream.events():
            self.add_event(row)
        for row in stream.tests():
            self.add_test(row)

    def add_sample(self, host: str, row: Row) -> None:
        """Add a row of the dataset of a host, unless it is of another run."""
        if self._filter.has(row):
            self._host(host).add_sample(row, self._epoch_of(row))

    def add_event(self, row: Row) -> None:
        """Add a row of annotations.csv, unless it is of another run or was added before."""
        if self._filter.has(row) and self._is_new("event", row["event"], row["id"], row["elapsed_s"]):
            self._host(row[event.HOST]).add_event(row)

    def add_test(self, row: Row) -> None:
        """Add a row of tests.csv, unless it is of another run or was added before."""
        key = ("test", row["nodeid"], row["worker"], row["elapsed_s"])
        if not self._filter.has({**row, "timestamp": row["start"]}) or not self._is_new(*key):
            return
        cpu_s = self._host(row[event.HOST]).add_test(row)
        self._ended.add(row["nodeid"])
        if self._options.tests:
            all_cpu_s, duration_s = self._of_tests.get(row["nodeid"], (0.0, 0.0))
            more_s = _number(row["duration_s"]) or 0.0
            self._of_tests[row["nodeid"]] = all_cpu_s + cpu_s, duration_s + more_s

    def _epoch_of(self, row: Row) -> float:
        """Return the start of the run, which its first row tells: the times of rows are rounded."""
        if self._epoch is None:
            self._epoch = epoch_of(row) or 0.0
        return self._epoch

    def _is_new(self, *key: str) -> bool:
        if key in self._seen:
            return False
        self._seen.add(key)
        return True

    def _host(self, name: str) -> _HostMetrics:
        if name not in self._hosts:
            self._hosts[name] = _HostMetrics(self._sampled)
        return self._hosts[name]

    @property
    def has_hosts(self) -> bool:
        """Whether the run has several hosts, so that a label tells them apart."""
        return len(self._hosts) > 1

    @property
    def last_sample(self) -> float | None:
        """The time of the last sample of pytest's own host, in seconds since 1970; None before the first."""
        return self._hosts[""].last_sample

    def series(self) -> Iterator[MetricSeries]:
        """Yield each metric with its labels and its present value."""
        for host, found in self._hosts.items():
            for metric, labels, value in found.series():
                yield MetricSeries(metric, labels, host, value)
        if self.collected is not None:
            yield MetricSeries(metrics.TESTS_REMAINING, (), "", max(0, self.collected - len(self._ended)))
        heaviest = sorted(self._of_tests, key=lambda test: -self._of_tests[test][0])
        own, others = heaviest[: self._options.tests], heaviest[self._options.tests :]
        for place, metric in enumerate((metrics.HEAVIEST_CPU, metrics.HEAVIEST_DURATION)):
            for test in own:
                yield MetricSeries(metric, (test,), "", self._of_tests[test][place])
            if others:
                yield MetricSeries(metric, (OTHER_TESTS,), "", sum(self._of_tests[test][place] for test in others))
        if self.fingerprint is not None:
            yield MetricSeries(metrics.RUN, _description(self.fingerprint), "", 1.0)
        if self._epoch is not None:
            yield MetricSeries(metrics.RUN_START, (), "", self._epoch)
        if self.completed is not None:
            yield MetricSeries(metrics.RUN_COMPLETION, (), "", self.completed)


def _description(fingerprint: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the values of the labels of `metrics.RUN`."""
    places = (("pytest_twin",), ("python", "version"), ("os", "name"), ("os", "machine"), ("cpu", "model"))
    found = []
    for place in places:
        value: Any = fingerprint
        for name in place:
            value = value.get(name) if isinstance(value, Mapping) else None
        found.append("" if value is None else str(value))
    return tuple(found)


def _limits(target: str) -> Mapping[str, Any]:
    try:
        return parse_constraint(target).options
    except LoadError:  # of another version
        return {}


def _number(cell: str | None) -> float | None:
    try:
        return float(cell) if cell else None
    except ValueError:
        return None


def buckets_of(metric: Metric, value: HistogramValue) -> list[tuple[str, float]]:
    """Return the upper bound of each bucket of a histogram with the number of observations up to it."""
    bounds = [*(f"{float(bound)}" for bound in metric.buckets), "+Inf"]
    return list(zip(bounds, map(float, accumulate(value.counts)), strict=True))
