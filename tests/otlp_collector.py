"""A collector in this process: it decodes what it is sent by the classes of the OpenTelemetry project."""

from __future__ import annotations

import gzip
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

UNPACK: dict[str, Callable[[bytes], bytes]] = {"": bytes, "gzip": gzip.decompress, "deflate": zlib.decompress}


class Collector:
    """What a collector was sent, and how it answers.

    Attributes:
        requests: The path, the headers and the body of each request.
        statuses: The statuses of the next answers; 200 when there are none.
        answer: The body of each answer.
        delay_s: For how long it waits before it answers.
    """

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.statuses: list[int] = []
        self.answer, self.delay_s, self.url = b"", 0.0, ""

    def of(self, path: str, kind: type) -> list:
        return [kind.FromString(body) for found, _, body in self.requests if found == path]

    @property
    def resource_spans(self) -> list:
        return [each for request in self.of("/v1/traces", ExportTraceServiceRequest) for each in request.resource_spans]

    @property
    def resource_metrics(self) -> list:
        requests = self.of("/v1/metrics", ExportMetricsServiceRequest)
        return [each for request in requests for each in request.resource_metrics]

    @property
    def spans(self) -> list:
        return spans_of(self.resource_spans)


def spans_of(resource_spans) -> list:
    return [span for each in resource_spans for scope in each.scope_spans for span in scope.spans]


def values(attributes) -> dict[str, object]:
    """Attributes as a dictionary."""
    return {each.key: getattr(each.value, each.value.WhichOneof("value")) for each in attributes}


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector on a free port, for the time of a block."""
    collector = Collector()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            collector.requests.append((self.path, headers, UNPACK[headers.get("content-encoding", "")](body)))
            time.sleep(collector.delay_s)
            self.send_response(collector.statuses.pop(0) if collector.statuses else 200)
            self.send_header("content-length", str(len(collector.answer)))
            self.end_headers()
            with suppress(ConnectionError):  # the sender has given up
                self.wfile.write(collector.answer)

        def log_message(self, *_) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    collector.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield collector
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
