"""A server that takes and gives annotations as the HTTP API of Grafana documents it, and some that do not."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import MappingProxyType
from urllib.parse import parse_qs, urlsplit

TOKEN = "glsa_made0up"  # noqa: S105 - of nothing


class GrafanaServer:
    """What a Grafana keeps, and what it was asked.

    Attributes:
        kept: Its annotations, as it gives them.
        asked: The requests: method, path without the query, and the header with the token.
        slow_s: The time before an answer.
        status: A status to refuse with; 0 refuses nothing.
        posts: The number of posts that are taken before `status` holds.
        headers: Headers of a refusal.
        html: Whether it answers with a page, as something else than Grafana does.
    """

    def __init__(self) -> None:
        self.kept: list[dict] = []
        self.asked: list[tuple[str, str, str]] = []
        self.slow_s, self.status, self.posts, self.html = 0.0, 0, 0, False
        self.headers: dict[str, str] = {}
        self.url = ""

    def find(self, query: dict[str, list[str]]) -> list[dict]:
        begin, end = int(query["from"][0]), int(query["to"][0])
        found = [each for each in self.kept if each["time"] <= end and each["timeEnd"] >= begin]
        return [each for each in found if {*query["tags"]} <= {*each["tags"]}][: int(query["limit"][0])]

    def add(self, document: dict) -> int:
        """Check a new annotation as Grafana does, and keep it."""
        assert set(document) <= {"dashboardUID", "panelId", "time", "timeEnd", "tags", "text"}
        assert isinstance(document["text"], str)
        assert document["text"]
        assert all(isinstance(document[name], int) for name in ("time", "timeEnd"))
        assert document["time"] <= document["timeEnd"]
        assert all(isinstance(tag, str) and len(tag) <= 100 for tag in document["tags"])
        self.kept.append({"id": len(self.kept) + 1, "userId": 1, "data": {}, **document})
        return len(self.kept)


class AnnotationHandler(BaseHTTPRequestHandler):
    """Answers for a `GrafanaServer`, below a path."""

    protocol_version, disable_nagle_algorithm = "HTTP/1.1", True  # as a server written in Go does
    grafana: GrafanaServer
    prefix: str

    def do_GET(self) -> None:
        self.handle_one(None)

    def do_POST(self) -> None:
        self.handle_one(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def handle_one(self, document: dict | None) -> None:
        parts, grafana = urlsplit(self.path), self.grafana
        grafana.asked.append((self.command, parts.path, self.headers["Authorization"]))
        time.sleep(grafana.slow_s)
        if grafana.html:
            self.answer(200, b"<html>")
        elif grafana.status and len(grafana.kept) >= grafana.posts:
            self.answer(grafana.status, f'{{"message": "not {TOKEN}"}}'.encode(), grafana.headers)
        elif self.headers["Authorization"] != f"Bearer {TOKEN}":
            self.answer(401, b'{"message": "Invalid API key"}')
        elif parts.path != f"{self.prefix}/api/annotations":
            self.answer(404, b'{"message": "Not found"}')
        elif document is None:
            self.answer(200, json.dumps(grafana.find(parse_qs(parts.query))).encode())
        else:
            self.answer(200, json.dumps({"message": "Annotation added", "id": grafana.add(document)}).encode())

    def answer(self, status: int, body: bytes, headers: Mapping[str, str] = MappingProxyType({})) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(ConnectionError):  # the client did not wait
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def grafana_server(prefix: str = "") -> Iterator[GrafanaServer]:
    """A Grafana on the loopback interface, below a path if one is given."""
    grafana = GrafanaServer()
    handler = type("Handler", (AnnotationHandler,), {"grafana": grafana, "prefix": prefix})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads, server.block_on_close = True, False
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        grafana.url = f"http://127.0.0.1:{server.server_port}{prefix}"
        try:
            yield grafana
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def raw_server(serve: Callable[[socket.socket, threading.Event], None]) -> Iterator[str]:
    """A server that does something with each connection; comes back with its URL."""
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while not over.is_set():
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    serve(connection, over)

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.getsockname()[1]}"
        finally:
            over.set()
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


def hang(_: socket.socket, over: threading.Event) -> None:
    """Never answer."""
    over.wait()


def drip(connection: socket.socket, over: threading.Event) -> None:
    """Answer one byte after another, so that no single read takes long."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n[")
    while not over.wait(0.1):
        try:
            connection.sendall(b" ")
        except OSError:
            return


def hang_up(_: socket.socket, __: threading.Event) -> None:
    """Close the connection at once."""
