"""Real servers of the Prometheus project on loopback, for tests of what they read."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

import pytest

READY_WITHIN_S = 60


def free_port() -> int:
    """A port that was free a moment ago."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def get(url: str) -> str:
    """The text of a page."""
    with urllib.request.urlopen(url, timeout=60) as answer:  # noqa: S310 - of this machine
        return answer.read().decode()


@contextmanager
def server(command: Sequence[object], ready: str) -> Iterator[None]:
    """Run a server until the end of the block; a test is skipped where it is not installed."""
    if shutil.which(str(command[0])) is None:
        pytest.skip(f"{command[0]} is not installed")
    process = subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        until = time.monotonic() + READY_WITHIN_S
        while True:
            try:
                get(ready)
                break
            except OSError:
                assert process.poll() is None, f"{command[0]} has ended"
                assert time.monotonic() < until, f"{command[0]} was not ready within {READY_WITHIN_S} s"
                time.sleep(0.1)
        yield
    finally:
        process.kill()
        process.wait()


class Prometheus:
    """A running Prometheus."""

    def __init__(self, url: str) -> None:
        self.url = url

    def query(self, text: str, at: float | None = None) -> list[dict[str, Any]]:
        """The series of an instant query, each with its labels (`metric`) and its value."""
        when = {} if at is None else {"time": f"{at:.3f}"}
        answer = json.loads(get(f"{self.url}/api/v1/query?{urlencode({'query': text, **when})}"))
        return answer["data"]["result"]

    def value(self, text: str, at: float | None = None) -> float:
        """The value of a query with one series."""
        [series] = self.query(text, at)
        return float(series["value"][1])

    def query_range(self, text: str, begin: float, end: float, step: float = 1.0) -> list[dict[str, Any]]:
        """The series of a range query."""
        words = {"query": text, "start": f"{begin:.3f}", "end": f"{end:.3f}", "step": step}
        return json.loads(get(f"{self.url}/api/v1/query_range?{urlencode(words)}"))["data"]["result"]

    def wait_for(self, text: str, count: int) -> None:
        """Wait until a query has so many series."""
        until = time.monotonic() + READY_WITHIN_S
        while len(self.query(text)) < count:
            assert time.monotonic() < until, f"{text} has no {count} series within {READY_WITHIN_S} s"
            time.sleep(0.2)


class Target(NamedTuple):
    """What a Prometheus scrapes: the labels that it adds, and a port of this machine."""

    job: str
    instance: str
    port: int


@contextmanager
def prometheus(folder: Path, targets: Iterable[Target] = (), data: Path | None = None) -> Iterator[Prometheus]:
    """Run a Prometheus that scrapes each second.

    Args:
        folder: Where its configuration and its data go.
        targets: What it scrapes.
        data: The folder of its blocks, if there are some already.
    """
    port = free_port()
    lines = ["global:", "  scrape_interval: 1s", "scrape_configs:"]
    for job, instance, its_port in targets:
        lines += [f"- job_name: {job}-{instance}", "  static_configs:", f"  - targets: ['127.0.0.1:{its_port}']"]
        lines += [f"    labels: {{instance: {instance}, job: {job}}}"]
    (folder / "prometheus.yml").write_text("\n".join(lines))
    command = [
        "prometheus", f"--config.file={folder / 'prometheus.yml'}", f"--storage.tsdb.path={data or folder / 'tsdb'}",
        f"--web.listen-address=127.0.0.1:{port}", "--storage.tsdb.retention.time=100y",
    ]  # fmt: skip
    with server(command, f"http://127.0.0.1:{port}/-/ready"):
        yield Prometheus(f"http://127.0.0.1:{port}")
