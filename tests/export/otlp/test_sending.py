"""How a run is sent, whatever the collector does."""

from __future__ import annotations

import http.client
import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from threading import Thread

import psutil
import pytest
from google.protobuf import json_format
from made_runs import busy_run
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from otlp_collector import values

from pytest_twin._system.child_process import ProcessContext
from pytest_twin.export import otlp_json
from pytest_twin.export.otlp import exporter
from pytest_twin.export.otlp.client import OtlpProcess
from pytest_twin.export.otlp.config import OtlpConfig, read_config
from pytest_twin.export.otlp.exporter import RunExport, RunSender
from pytest_twin.export.otlp.outcome import outcome_line


@pytest.fixture
def run(tmp_path) -> Path:
    return busy_run(tmp_path / "run").write()


def send(folder, environ, url=None, limit_s=20.0):
    config = read_config(environ, url)
    return RunSender(RunExport(folder, config), config, limit_s).send()


def test_spans_and_metrics_are_sent_with_the_headers_of_the_environment(run, collector):
    result = send(run, {"OTEL_EXPORTER_OTLP_HEADERS": "api-key=7", "OTEL_SERVICE_NAME": "shop"}, collector.url)
    assert [path for path, _, _ in collector.requests] == ["/v1/traces", "/v1/metrics"]
    assert {headers["api-key"] for _, headers, _ in collector.requests} == {"7"}
    assert {headers["content-type"] for _, headers, _ in collector.requests} == {"application/x-protobuf"}
    assert (result.spans, result.problem) == (len(collector.spans), "")
    assert result.trace == collector.spans[0].trace_id.hex()
    metrics = [
        metric for each in collector.resource_metrics for scope in each.scope_metrics for metric in scope.metrics
    ]
    assert result.points == sum(len(getattr(each, each.WhichOneof("data")).data_points) for each in metrics)
    resources = [each.resource for each in (*collector.resource_spans, *collector.resource_metrics)]
    assert {values(each.attributes)["service.name"] for each in resources} == {"shop"}


@pytest.mark.parametrize("compression", ["gzip", "deflate"])
def test_messages_are_compressed_where_the_environment_says_so(run, collector, compression):
    send(run, {"OTEL_EXPORTER_OTLP_COMPRESSION": compression}, collector.url)
    assert {headers["content-encoding"] for _, headers, _ in collector.requests} == {compression}
    assert len(collector.spans) == 6


def test_many_spans_are_sent_in_several_messages(run, collector, monkeypatch):
    monkeypatch.setattr(exporter, "SPANS_AT_ONCE", 4)
    assert send(run, {}, collector.url).spans == 6
    assert [path for path, _, _ in collector.requests] == ["/v1/traces", "/v1/traces", "/v1/metrics"]
    assert len({span.span_id for span in collector.spans}) == 6


def test_a_collector_that_is_busy_is_asked_again(run, collector):
    collector.statuses = [503, 429]
    result = send(run, {}, collector.url)
    assert (result.problem, result.spans) == ("", 6)
    assert [path for path, _, _ in collector.requests] == ["/v1/traces"] * 3 + ["/v1/metrics"]


def test_a_collector_that_refuses_is_told_of_and_not_asked_again(run, collector):
    collector.statuses = [401]
    result = send(run, {}, collector.url)
    assert (result.problem, result.spans) == (f"{collector.url}/v1/traces: HTTP status 401 Unauthorized", 0)
    assert len(collector.requests) == 1


def test_a_collector_that_stays_busy_is_given_up(run, collector):
    collector.statuses = [503] * 100
    result = send(run, {}, collector.url, limit_s=0.5)
    assert result.problem == f"{collector.url}/v1/traces: HTTP status 503 Service Unavailable"


def test_what_a_collector_rejects_is_told(run, collector):
    answer = ExportTraceServiceResponse()
    answer.partial_success.rejected_spans, answer.partial_success.error_message = 2, "too\nlong"
    collector.answer = answer.SerializeToString()
    config = read_config({"OTEL_METRICS_EXPORTER": "none"}, collector.url)
    result = RunSender(RunExport(run, config), config, 20.0).send()
    assert (result.spans, result.rejected) == (4, {"traces": "2 rejected: too\nlong"})
    line = f"warning: otlp: {collector.url} did not take all: traces: 2 rejected: too long"
    assert outcome_line(config, vars(result)) == line


def test_rejected_points_are_told_too(run, collector):
    answer = ExportMetricsServiceResponse()
    answer.partial_success.rejected_data_points = 3
    collector.answer = answer.SerializeToString()
    result = send(run, {"OTEL_TRACES_EXPORTER": "none"}, collector.url)
    assert (result.rejected, result.spans) == ({"metrics": "3 rejected"}, 0)


def test_a_trace_that_is_not_sampled_is_not_sent(run, collector):
    result = send(run, {"TRACEPARENT": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"}, collector.url)
    assert result.problem == "the trace is not sampled, by its parent or by OTEL_TRACES_SAMPLER"
    assert collector.requests == []


def answering(text: bytes):
    """A server that answers each connection with this, whatever it is sent."""
    server = socket.create_server(("127.0.0.1", 0))

    def answer():
        while True:
            try:
                peer, _ = server.accept()
            except OSError:
                return
            with peer:
                peer.recv(1 << 16)
                peer.sendall(text)

    Thread(target=answer, daemon=True).start()
    return server


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (b"SSH-2.0-OpenSSH_9.2\r\n", "the answer is not HTTP (BadStatusLine)"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello", "the answer is not that of a collector"),
        (b"HTTP/1.1 302 Found\r\nlocation: /login\r\ncontent-length: 0\r\n\r\n", "HTTP status 302 Found"),
    ],
)
def test_what_is_no_collector_is_one_clear_line(run, text, problem):
    with answering(text) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        result = send(run, {}, url)
    assert result.problem == f"{url}/v1/traces: {problem}"


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_without_a_collector_there_is_one_clear_line(run):
    url = f"http://127.0.0.1:{free_port()}"
    assert send(run, {}, url).problem == f"{url}/v1/traces: Connection refused"


def test_a_password_is_in_no_message(run):
    url = f"http://me:secret@127.0.0.1:{free_port()}"
    assert "secret" not in send(run, {}, url).problem


def test_a_collector_that_never_answers_is_left_in_time(run):
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        assert send(run, {}, url, limit_s=0.3).problem.startswith(f"{url}/v1/traces: no answer within 0.")
        assert send(run, {"OTEL_EXPORTER_OTLP_TIMEOUT": "0.2"}, url, limit_s=None).problem == (
            f"{url}/v1/traces: no answer within 0.2 s"
        )


def test_a_proxy_of_the_environment_gets_the_whole_url(run, collector, monkeypatch):
    monkeypatch.setenv("http_proxy", collector.url)
    send(run, {}, "http://collector.invalid:4318")
    assert {path for path, _, _ in collector.requests} == {
        "http://collector.invalid:4318/v1/traces", "http://collector.invalid:4318/v1/metrics"
    }  # fmt: skip
    monkeypatch.setenv("no_proxy", "collector.invalid")
    assert "the host is unknown" in send(run, {}, "http://collector.invalid:4318").problem


def test_without_a_collector_nothing_is_built(run, monkeypatch):
    monkeypatch.setattr(RunExport, "trace", lambda _: pytest.fail("it was built"))
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
    assert send(run, {}, url).problem == f"{url}/v1/traces: Connection refused"
    assert send(run, {"OTEL_TRACES_EXPORTER": "none"}, url).problem == f"{url}/v1/metrics: Connection refused"


def process_of(folder, url, **config):
    process = OtlpProcess(read_config(config, url), ProcessContext())
    process.export(folder, 10.0, host="ci-7")
    return process


def test_a_process_of_its_own_sends_the_same(run, collector, eventually):
    process = process_of(run, collector.url)
    result = process.wait(60)
    assert (result["spans"], result["problem"]) == (len(collector.spans), "") == (6, "")
    assert values(collector.resource_spans[0].resource.attributes)["host.name"] == "ci-7"
    eventually(lambda: not psutil.pid_exists(process.pid))


def test_a_process_that_does_not_end_is_killed_in_time(run, collector, eventually):
    collector.delay_s = 30
    process = process_of(run, collector.url)
    began = time.monotonic()
    result = process.wait(1.0)
    assert result == {"problem": "it took longer than 1 s"}
    assert time.monotonic() - began < 10
    eventually(lambda: not psutil.pid_exists(process.pid))


def test_a_process_that_dies_is_told_of(run, collector, eventually):
    process = OtlpProcess(read_config({}, collector.url), ProcessContext())
    eventually(lambda: process.pid is not None)
    os.kill(process.pid, signal.SIGKILL)
    process.export(run, 10.0)
    assert process.wait(60) == {"problem": "the process ended early"}


def test_a_process_that_gets_no_order_ends(run, eventually):
    process = OtlpProcess(read_config({}, "http://127.0.0.1:9"), ProcessContext())
    eventually(lambda: process.pid is not None)
    process.stop()
    eventually(lambda: not psutil.pid_exists(process.pid))


@pytest.mark.skipif(sys.platform == "win32", reason="needs a fork")
def test_once_it_is_detached_nothing_of_it_is_below_this_process():
    before = set(psutil.Process().children(recursive=True))
    process = OtlpProcess(read_config({}, "http://127.0.0.1:9"), ProcessContext())
    process.wait_detached(60)
    below = set(psutil.Process().children(recursive=True))
    is_running = psutil.pid_exists(process.pid)
    process.stop()
    assert is_running
    assert below == before


@pytest.mark.skipif(sys.platform != "linux", reason="constraints are for Linux")
def test_a_constraint_on_the_tests_recognizes_the_process_as_none_of_them(eventually):
    from pytest_twin.stressors.constraint.process_tree import is_helper

    process = OtlpProcess(read_config({}, "http://127.0.0.1:9"), ProcessContext())
    eventually(lambda: process.pid is not None)
    is_left_out = is_helper(process.pid)
    process.stop()
    assert is_left_out


def test_a_run_that_cannot_be_read_is_told_of(tmp_path, collector):
    (tmp_path / "tests.csv").mkdir()
    (tmp_path / "annotations.csv").write_bytes(b'\xff\n"')
    result = process_of(tmp_path, collector.url).wait(60)
    assert result["problem"] == ""  # what can be read is sent: nothing but the session
    assert [span.name for span in collector.spans] == ["pytest session"]


def decoded(line, kind):
    """A line of OTLP JSON as a message: ids are hexadecimal there, and base64 for protobuf."""
    from base64 import b64encode

    document = json.loads(line)
    for of_host in document.get("resourceSpans", ()):
        for span in of_host["scopeSpans"][0]["spans"]:
            for part in (span, *span.get("links", ())):
                for key in {"traceId", "spanId", "parentSpanId"} & {*part}:
                    part[key] = b64encode(bytes.fromhex(part[key])).decode()
    return json_format.ParseDict(document, kind())


def test_otlp_json_has_the_same_messages_as_are_sent(tmp_path, run, collector):
    send(run, {}, collector.url)
    spans, metrics = otlp_json.lines_of_run(run, OtlpConfig({}))
    assert spans.startswith(otlp_json.BEGINNING)
    assert decoded(spans, ExportTraceServiceRequest).SerializeToString(deterministic=True) == (
        collector.of("/v1/traces", ExportTraceServiceRequest)[0].SerializeToString(deterministic=True)
    )
    assert decoded(metrics, ExportMetricsServiceRequest) == collector.of("/v1/metrics", ExportMetricsServiceRequest)[0]


def test_the_sender_closes_its_connections(run, collector, monkeypatch):
    closed = []
    close = http.client.HTTPConnection.close
    monkeypatch.setattr(http.client.HTTPConnection, "close", lambda self: (closed.append(self), close(self)))
    send(run, {}, collector.url)
    assert len({id(each) for each in closed}) == 2
