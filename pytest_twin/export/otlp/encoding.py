"""Encode spans and metrics as messages of OTLP, by the classes that the OpenTelemetry project generates.

The SDK is not used: its provider would be made, and its spans be copied, for what is known completely; importing it
alone takes longer than all that is done here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import islice
from typing import Any, TypeVar

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import AggregationTemporality
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from pytest_twin.export.otlp.attributes import SCHEMA_URL
from pytest_twin.export.otlp.config import OtlpLimits
from pytest_twin.export.otlp.sample_metrics import GAUGE, SampleSeries
from pytest_twin.export.otlp.span import OtlpSpan, Value
from pytest_twin.model.version import __version__

SCOPE = "pytest_twin"
SAMPLED, HAS_IS_REMOTE, IS_REMOTE = 0x1, 0x100, 0x200  # flags of a span: of W3C Trace Context, and of its parent
LOCAL_CHILD = SAMPLED | HAS_IS_REMOTE
REMOTE_CHILD = LOCAL_CHILD | IS_REMOTE
Item = TypeVar("Item")


def encode_spans(
    spans: Iterable[OtlpSpan], resource: Callable[[str], Mapping[str, str]], limits: OtlpLimits, tracestate: str = ""
) -> ExportTraceServiceRequest:
    """Return a request with spans, those of each host with the resource of the host.

    Args:
        spans: The spans.
        resource: Returns the attributes of the resource of a host.
        limits: The limits of a span.
        tracestate: The state of the trace, from the parent.
    """
    request = ExportTraceServiceRequest()
    by_host: dict[str, Any] = {}
    for span in spans:
        scope = by_host.get(span.host)
        if scope is None:
            of_host = request.resource_spans.add(schema_url=SCHEMA_URL)
            add_attributes(of_host.resource.attributes, resource(span.host))
            scope = by_host[span.host] = of_host.scope_spans.add(schema_url=SCHEMA_URL)
            scope.scope.name, scope.scope.version = SCOPE, __version__
        encode_span(scope.spans, span, limits, tracestate)
    return request


def encode_span(target: Any, span: OtlpSpan, limits: OtlpLimits, tracestate: str) -> None:
    """Add the message of a span to others."""
    message = target.add(
        trace_id=span.ids.trace, span_id=span.ids.span, parent_span_id=span.parent, trace_state=tracestate,
        name=span.name, kind=Span.SPAN_KIND_INTERNAL, start_time_unix_nano=span.start,
        end_time_unix_nano=max(span.start, span.end), flags=REMOTE_CHILD if span.is_remote_child else LOCAL_CHILD,
    )  # fmt: skip
    if span.attributes:
        message.dropped_attributes_count = add_attributes(message.attributes, span.attributes, limits)
    if span.error is not None:
        message.status.code, message.status.message = Status.STATUS_CODE_ERROR, span.error
    if span.events:
        for event in _first(span.events, limits.events):
            added = message.events.add(time_unix_nano=event.at, name=event.name)
            added.dropped_attributes_count = add_attributes(added.attributes, event.attributes, limits)
        message.dropped_events_count = _excess(span.events, limits.events)
    if span.links:
        for link in _first(span.links, limits.links):
            added = message.links.add(trace_id=link.ids.trace, span_id=link.ids.span, flags=LOCAL_CHILD)
            add_attributes(added.attributes, link.attributes, limits)
        message.dropped_links_count = _excess(span.links, limits.links)


def add_attributes(target: Any, attributes: Mapping[str, Value], limits: OtlpLimits = OtlpLimits(None)) -> int:  # noqa: B008 - it is frozen
    """Add attributes to a message, and return the number of those that exceed the limit."""
    excess = _excess(attributes, limits.attributes)
    for key, value in islice(attributes.items(), limits.attributes) if excess else attributes.items():
        kind = type(value)
        if kind is str:
            target.add(key=key).value.string_value = value if limits.text is None else value[: limits.text]  # type: ignore[index]
        elif kind is float:
            target.add(key=key).value.double_value = value
        elif kind is bool:
            target.add(key=key).value.bool_value = value
        else:
            target.add(key=key).value.int_value = value
    return excess


def _first(items: Sequence[Item], limit: int | None) -> Sequence[Item]:
    return items if limit is None else items[:limit]


def _excess(items: Sequence[object] | Mapping[str, Value], limit: int | None) -> int:
    return 0 if limit is None else max(0, len(items) - limit)


def encode_metrics(
    by_host: Mapping[str, Sequence[SampleSeries]], resource: Callable[[str], Mapping[str, str]]
) -> ExportMetricsServiceRequest:
    """Return a request with the metrics of each host."""
    request = ExportMetricsServiceRequest()
    for host, found in by_host.items():
        of_host = request.resource_metrics.add(schema_url=SCHEMA_URL)
        add_attributes(of_host.resource.attributes, resource(host))
        scope = of_host.scope_metrics.add(schema_url=SCHEMA_URL)
        scope.scope.name, scope.scope.version = SCOPE, __version__
        messages: dict[str, Any] = {}
        for series in found:
            metric = series.metric
            if metric.name not in messages:
                messages[metric.name] = _data(scope.metrics.add(name=metric.name, unit=metric.unit), series)
            _add_points(messages[metric.name], series)
    return request


def _data(message: Any, series: SampleSeries) -> Any:
    """Return the points of a new metric."""
    if series.metric.kind == GAUGE:
        return message.gauge.data_points
    message.sum.is_monotonic = series.is_monotonic
    message.sum.aggregation_temporality = AggregationTemporality.AGGREGATION_TEMPORALITY_CUMULATIVE
    return message.sum.data_points


def _add_points(target: Any, series: SampleSeries) -> None:
    start = 0 if series.metric.kind == GAUGE else series.start
    for at, value in series.points:
        point = target.add(time_unix_nano=at, start_time_unix_nano=start, as_double=value)
        add_attributes(point.attributes, series.metric.attributes)


def to_json_document(request: ExportTraceServiceRequest | ExportMetricsServiceRequest) -> dict[str, Any]:
    """Return a request in the JSON form of OTLP, in which ids are hexadecimal and not base64."""
    from base64 import b64decode

    from google.protobuf.json_format import MessageToDict

    document: dict[str, Any] = MessageToDict(request, use_integers_for_enums=True)
    spans = (
        span
        for of_host in document.get("resourceSpans", ())
        for scope in of_host["scopeSpans"]
        for span in scope.get("spans", ())
    )
    for span in spans:
        for part in (span, *span.get("links", ())):
            for key in ("traceId", "spanId", "parentSpanId"):
                if key in part:
                    part[key] = b64decode(part[key]).hex()
    return document
