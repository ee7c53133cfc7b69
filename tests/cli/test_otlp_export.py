"""``pytest-twin export --otlp``, as typed."""

from __future__ import annotations

import json
import socket

import pytest

pytest.importorskip("opentelemetry.proto")

from made_runs import busy_run
from otlp_collector import collecting, values

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.fixture(autouse=True)
def busy(tmp_path, monkeypatch):
    for name in ("OTEL_EXPORTER_OTLP_ENDPOINT", "TRACEPARENT", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    busy_run(tmp_path / "twin-report").write()


def test_a_run_is_sent_to_a_collector(twin):
    with collecting() as collector:
        output = twin("export", "--otlp", collector.url, "--otlp-trace=per-test", "--traceparent", PARENT)
    assert output.startswith(f"otlp: {len(collector.spans)} spans and ")
    assert output.endswith(f" metric points sent to {collector.url}, trace 0af7651916cd43dd8448eb211c80319c\n")
    tests = [span for span in collector.spans if "test.case.name" in values(span.attributes)]
    assert len({span.trace_id for span in tests}) == len(tests) == 3


def test_without_a_url_it_is_that_of_the_environment(twin, monkeypatch):
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        assert f"sent to {collector.url}, trace " in twin("export", "twin-report", "--otlp")


def test_a_run_is_written_into_a_file_and_as_a_format(twin, tmp_path):
    assert twin("export", "--otlp=run.jsonl") == "run.jsonl\n"
    assert twin("export", "--format=otlp-json") == "twin-report/export/otlp.jsonl\n"
    assert twin("export", "--otlp=run.jsonl", "--traceparent", PARENT) == "run.jsonl\n"
    spans, metrics = map(json.loads, (tmp_path / "run.jsonl").read_text().splitlines())
    first = spans["resourceSpans"][0]["scopeSpans"][0]["spans"][0]
    assert (first["name"], first["parentSpanId"]) == ("pytest session", "b7ad6b7169203331")
    assert list(metrics) == ["resourceMetrics"]


def test_a_file_of_somebody_else_is_not_replaced(twin, tmp_path):
    (tmp_path / "mine.json").write_text("{}")
    assert twin("export", "--otlp=mine.json", status=1) == (
        "Error: --otlp: mine.json exists and was not written by pytest-twin; remove it or choose another file\n"
    )


def test_what_cannot_be_exported_is_one_clear_line(twin, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    assert twin("export", f"--otlp=http://me:secret@127.0.0.1:{port}", status=1) == (
        f"Error: http://127.0.0.1:{port}/v1/traces: Connection refused\n"
    )
    assert twin("export", "--otlp=ftp://me:secret@c", status=1) == (
        "Error: --otlp: 'ftp://c' is not the URL of a collector; write one such as http://localhost:4318\n"
    )
    assert twin("export", "--otlp=no/such/run.jsonl", status=1) == (
        "Error: --otlp: no/such/run.jsonl: No such file or directory\n"
    )
    (tmp_path / "empty").mkdir()
    assert twin("export", "empty", "--otlp=run.jsonl", status=1) == (
        "Error: --otlp: empty has no annotations.csv or tests.csv; give the folder of a run\n"
    )
    assert twin("export", status=2).endswith("Error: nothing to do; give --format, --otlp or --grafana\n")
    assert twin("export", "--otlp=x", "-o", "y", status=2).endswith("Error: --output: there is no --format to write\n")
