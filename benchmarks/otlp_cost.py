"""Measure what --twin-otlp costs: 1,000 trivial tests with --twin alone, and exported to a collector on this machine.

    python benchmarks/otlp_cost.py --rounds 15
    python benchmarks/otlp_cost.py --rounds 15 --peers-python peers/bin/python

The collector is a process of its own that takes messages and decodes none. The peer, pytest-opentelemetry, is compared
with plain pytest, since it does not record a run. The last lines have the time of a collector that is away, and of one
that accepts a connection and never answers.
"""

from __future__ import annotations

import argparse
import socket
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from _shared import helper, interleaved, line_of, show
from trivial_tests import COUNT, ENVIRONMENT, TESTS, Run, compare, interpreter

COLLECTOR = """
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *_): pass

server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
threading.Thread(target=server.serve_forever, daemon=True).start()
print(server.server_port, flush=True)
import os
while os.read(0, 1): pass
"""
PLUGIN = "pytest_twin.plugin"
TWIN = Run("pytest --twin", PLUGIN, ("--twin",))
PLAIN = Run("plain pytest")
GOAL = "at most 1.05"


def exported(url: str, name: str = "pytest --twin --twin-otlp") -> Run:
    """Return the run that is exported to a collector."""
    return Run(name, PLUGIN, ("--twin", f"--twin-otlp={url}"))


@contextmanager
def silent_collector() -> Iterator[str]:
    """Yield the URL of a collector that accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def main() -> None:
    """Compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=15, help="number of rounds")
    parser.add_argument(
        "--peers-python", type=interpreter, default=sys.executable, help="Python of the environment with the peer"
    )
    given = parser.parse_args()
    with helper(COLLECTOR) as collector, silent_collector() as silent:
        url = f"http://127.0.0.1:{line_of(collector)}"
        ours = exported(url)
        compare([TWIN, ours], given.rounds, {ours.name: GOAL})
        ENVIRONMENT["OTEL_EXPORTER_OTLP_ENDPOINT"] = url
        ENVIRONMENT["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf"
        peer = Run("pytest-opentelemetry", "pytest_opentelemetry.plugin", ("--export-traces",), given.peers_python)
        if peer.is_there():
            compare([PLAIN, ours, peer], given.rounds)
        bad = {"no collector": exported("http://127.0.0.1:9"), "a collector that never answers": exported(silent)}
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / "test_trivial.py").write_text(TESTS.format(COUNT))
            runs = {"pytest --twin": TWIN, **bad}
            seconds = {name: lambda run=run: run.seconds(Path(folder)) for name, run in runs.items()}
            took = interleaved(seconds, max(3, given.rounds // 5))
        for name in bad:
            added = [one - other for one, other in zip(took[name], took["pytest --twin"], strict=True)]
            show(f"added by {name}", added, "s", "at most 2")


if __name__ == "__main__":
    main()
