"""Export one run: read it, build its spans and metrics, and send them piece by piece."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from pytest_twin.export.otlp.config import METRICS, TRACES, OtlpConfig, OtlpError, OtlpSignal
from pytest_twin.export.otlp.encoding import encode_metrics, encode_spans, to_json_document
from pytest_twin.export.otlp.resource import resource_of
from pytest_twin.export.otlp.run_rows import RunRows
from pytest_twin.export.otlp.sample_metrics import SampleSeries, collect_series
from pytest_twin.export.otlp.sampling import is_sampled
from pytest_twin.export.otlp.sending import OtlpSender, SendingError, check_connection
from pytest_twin.export.otlp.span import IdSource, OtlpSpan
from pytest_twin.export.otlp.trace_builder import TraceBuilder
from pytest_twin.model.columns import Column
from pytest_twin.model.trace_context import parse_traceparent
from pytest_twin.telemetry import probes

SPANS_AT_ONCE = 5000  # some 2 MB; collectors take 20 MB at once
MOST_POINTS = 600  # of a series, where the time is limited


@dataclass
class ExportResult:
    """What was exported.

    Attributes:
        spans: The number of spans that were sent.
        points: The number of points of metrics that were sent.
        trace: The id of the trace of the session; empty where none was sent.
        problem: Why not all was sent; empty if all was.
        rejected: What the collector said of parts that it did not take, by signal.
    """

    spans: int = 0
    points: int = 0
    trace: str = ""
    problem: str = ""
    rejected: dict[str, str] = field(default_factory=dict)


@cache
def declared_columns() -> dict[str, Column]:
    """Return the columns of all probes by name; looking for those of other packages takes a while, the first time."""
    return {column.name: column for column in probes.known_columns()}


class RunExport:
    """Builds what is exported of one run."""

    def __init__(self, folder: Path, config: OtlpConfig, own_host: str = "") -> None:
        """Read the tables of the run.

        Args:
            folder: The run folder.
            config: What to export.
            own_host: The name of the host of pytest; empty if it is unknown.

        Raises:
            OtlpError: They cannot be read.
        """
        self._config = config
        try:
            self._run = RunRows(folder)
        except (OSError, ValueError) as error:
            raise OtlpError(f"{folder}: {getattr(error, 'strerror', None) or error}") from None
        self._parent = parse_traceparent(config.traceparent)
        self._resource = cache(lambda host: resource_of(self._run, host, own_host, config.resource))

    def trace(self) -> TraceBuilder:
        """Return the spans of the run."""
        return TraceBuilder(self._run, self._parent, per_test=self._config.per_test)

    def is_sampled(self) -> bool:
        """Tell whether a sampler in the environment lets the trace of the session be exported."""
        trace = self._parent.trace if self._parent else IdSource(self._run.identity).trace()
        return is_sampled(os.environ, trace, self._parent.is_sampled if self._parent else None)

    def span_request(self, spans: Sequence[OtlpSpan]) -> ExportTraceServiceRequest:
        """Return the message with these spans."""
        return encode_spans(spans, self._resource, self._config.limits, self._config.tracestate)

    def metrics(self, most_points: int | None = None) -> dict[str, list[SampleSeries]]:
        """Return the series of each host that has samples.

        Raises:
            OtlpError: They cannot be read.
        """
        declared = declared_columns()
        try:
            found = {host: collect_series(self._run.samples(host), declared, most_points) for host in self._run.hosts}
        except (OSError, ValueError) as error:
            raise OtlpError(f"the samples cannot be read: {error}") from None
        return {host: series for host, series in found.items() if series}

    def metric_request(self, found: dict[str, list[SampleSeries]]) -> ExportMetricsServiceRequest:
        """Return the message with these series."""
        return encode_metrics(found, self._resource)

    def documents(self) -> Iterator[dict[str, object]]:
        """Yield the run in the JSON form of OTLP, a document for each signal and several thousand spans."""
        for spans in pieces(self.trace().spans):
            yield to_json_document(self.span_request(spans))
        if found := self.metrics():
            yield to_json_document(self.metric_request(found))


def pieces(spans: Sequence[OtlpSpan]) -> Iterator[Sequence[OtlpSpan]]:
    """Yield the spans that are sent together."""
    for first in range(0, len(spans), SPANS_AT_ONCE):
        yield spans[first : first + SPANS_AT_ONCE]


class RunSender:
    """Sends one run.

    Attributes:
        result: What was sent so far.
    """

    def __init__(
        self,
        export: RunExport,
        config: OtlpConfig,
        limit_s: float | None = None,
        report: Callable[[ExportResult], None] = lambda _: None,
    ) -> None:
        """Prepare to send.

        Args:
            export: The run.
            config: Where to.
            limit_s: The seconds that all of it may take; None is the limit of each request, for each.
            report: Called with the result so far after each message.
        """
        self._export, self._config, self._report = export, config, report
        self._until = None if limit_s is None else time.monotonic() + limit_s
        self.result = ExportResult()

    def send(self, most_points: int | None = None) -> ExportResult:
        """Send the spans and the metrics.

        Args:
            most_points: The highest number of points of a series of metrics; None is no limit.

        Raises:
            OtlpError: The run cannot be read.
        """
        if not self._export.is_sampled():
            self.result.problem = "the trace is not sampled, by its parent or by OTEL_TRACES_SAMPLER"
            return self.result
        try:
            self._check_connection()
            self._send_spans()
            self._send_metrics(most_points)
        except SendingError as error:
            self.result.problem = str(error)
        return self.result

    def _check_connection(self) -> None:
        """Check that there is a collector, before anything is built for it.

        Raises:
            SendingError: There is none.
        """
        for signal in [*self._config.signals.values()][:1]:
            try:
                check_connection(signal, self._deadline(signal))
            except SendingError as error:
                raise SendingError(f"{signal.url}: {error}") from None

    def _send_spans(self) -> None:
        if (signal := self._config.signals.get(TRACES)) is None:
            return
        built = self._export.trace()
        for spans in pieces(built.spans):
            answer = self._post(signal, self._export.span_request(spans), ExportTraceServiceResponse)
            rejected = answer.partial_success.rejected_spans
            self._add_rejected(TRACES, rejected, answer.partial_success.error_message)
            self.result.spans += len(spans) - rejected
            self.result.trace = built.session.ids.trace.hex()
            self._report(self.result)

    def _send_metrics(self, most_points: int | None) -> None:
        signal = self._config.signals.get(METRICS)
        if signal is not None and (found := self._export.metrics(most_points)):
            answer = self._post(signal, self._export.metric_request(found), ExportMetricsServiceResponse)
            rejected = answer.partial_success.rejected_data_points
            self._add_rejected(METRICS, rejected, answer.partial_success.error_message)
            self.result.points += sum(len(each.points) for own in found.values() for each in own) - rejected

    def _deadline(self, signal: OtlpSignal) -> float:
        return self._until or time.monotonic() + signal.timeout_s

    def _post(self, signal: OtlpSignal, request: Message, answer: type[Any]) -> Any:
        """Send a message, and return the answer.

        Raises:
            SendingError: It was not taken; the message names the URL.
        """
        try:
            with OtlpSender(signal, self._deadline(signal)) as sender:
                return answer.FromString(sender.send(request.SerializeToString()))
        except SendingError as error:
            raise SendingError(f"{signal.url}: {error}") from None
        except DecodeError:
            raise SendingError(f"{signal.url}: the answer is not that of a collector") from None

    def _add_rejected(self, signal: str, count: int, message: str) -> None:
        if count or message:
            self.result.rejected[signal] = f"{count} rejected" + (f": {message}" if message else "")
