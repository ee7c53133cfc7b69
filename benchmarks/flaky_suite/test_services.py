"""Servers, subprocesses and watchdogs."""

from __future__ import annotations

import multiprocessing
import os
import queue
import select
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Self

from work import work

FORK = multiprocessing.get_context("fork")
SERVICE = "import time\nwhile time.process_time() < {}: pass\nprint('ready', flush=True)\ninput()"


@contextmanager
def service(cpu_s: float) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program that says that it is ready after some work."""
    command = [sys.executable, "-S", "-c", SERVICE.format(cpu_s)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@contextmanager
def server(cpu_s: float) -> Iterator[tuple[str, int]]:
    """Serve the address of a server that works for each of its answers."""

    def serve() -> None:
        while True:
            try:
                connection = listener.accept()[0]
            except OSError:
                return
            with connection:
                connection.recv(100)
                connection.sendall(work(cpu_s).encode())

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        yield listener.getsockname()
        listener.shutdown(socket.SHUT_RDWR)


def ask(address: tuple[str, int], timeout: float | None) -> bytes:
    """Return the answer of a server."""
    with socket.create_connection(address, timeout=timeout) as client:
        client.sendall(b"question")
        return client.recv(100)


class Watchdog:
    """A thread that sends signs of life, and one that watches for them."""

    def __init__(self, limit_s: float) -> None:
        self.last, self.limit_s, self.lost = time.monotonic(), limit_s, False
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=each) for each in (self._beat, self._watch)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _beat(self) -> None:
        while not self._ended.wait(0.02):
            self.last = time.monotonic()

    def _watch(self) -> None:
        while not self._ended.wait(0.01):
            self.lost |= time.monotonic() - self.last > self.limit_s


class Cache:
    """A cache of which the entries expire."""

    def __init__(self, lifetime_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._lifetime_s, self._clock = lifetime_s, clock
        self._entries: dict[str, tuple[str, float]] = {}

    def put(self, key: str, value: str) -> None:
        self._entries[key] = value, self._clock() + self._lifetime_s

    def get(self, key: str) -> str | None:
        value, end = self._entries[key]
        return value if self._clock() < end else None


def test_service_starts_within_grace() -> None:
    """A grace time for the start of a subprocess."""
    with service(0.09) as process:
        assert select.select([process.stdout], [], [], 0.6)[0]


def test_server_answers_within_deadline() -> None:
    """A deadline for the answer of a server."""
    with server(0.08) as address:
        assert ask(address, timeout=0.25) == b"result"


def test_heartbeat() -> None:
    """A watchdog that does not see a sign of life in time."""
    with Watchdog(limit_s=0.075) as watchdog:
        work(0.15)
    assert not watchdog.lost


def test_cached_page() -> None:
    """An entry of a cache that expires too early."""
    cache = Cache(lifetime_s=0.3)
    cache.put("page", "text")
    work(0.11)
    assert cache.get("page") == "text"


def test_throughput() -> None:
    """A number of requests that is expected within a time."""
    end = time.monotonic() + 0.4
    requests = 0
    while time.monotonic() < end:
        work(0.01)
        requests += 1
    assert requests >= 29


def test_service_starts() -> None:
    """A subprocess of which the line is waited for."""
    with service(0.05) as process:
        assert process.stdout.readline() == b"ready\n"


def test_program_ends() -> None:
    """A subprocess of which the end is waited for."""
    code = "sum(range(1_000_000))"
    assert subprocess.run([sys.executable, "-S", "-c", code], timeout=120, check=False).returncode == 0


def test_server_answers() -> None:
    """A server that is asked without a deadline."""
    with server(0.03) as address:
        assert [ask(address, timeout=None) for _ in range(3)] == [b"result"] * 3


def test_cached_page_by_a_clock_of_the_test() -> None:
    """A cache with a clock of the test."""
    ticks = count()
    cache = Cache(lifetime_s=3, clock=lambda: next(ticks))
    cache.put("page", "text")
    work(0.11)
    assert cache.get("page") == "text"
    assert [cache.get("page") for _ in range(2)] == ["text", None]


def test_queue_with_an_end() -> None:
    """A producer and a consumer with a mark of the end."""
    items: queue.Queue[int | None] = queue.Queue(maxsize=5)

    def produce() -> None:
        for number in range(20):
            work(0.004)
            items.put(number)
        items.put(None)

    threading.Thread(target=produce).start()
    assert sum(iter(items.get, None)) == 190


def test_port_is_free() -> None:
    """A port that is taken by chance."""
    taken = os.urandom(1)[0] < 64
    work(0.01)
    assert not taken
