"""Network load: TCP over the loopback interface at a rate, or as fast as possible.

Each worker has a connection with itself, which no other process can join: what it sends at one end it receives at the
other. Nothing listens while the load is applied, and the connection ends with the process.
"""

from __future__ import annotations

import math
import socket
from typing import Self

from pytest_twin.stressors.kinds import _rate_pacer
from pytest_twin.stressors.spec.kind import MAX, RATE, Kind
from pytest_twin.stressors.system.capacity import usable_cpus
from pytest_twin.stressors.worker.job import Job

KIND = Kind(
    keyword="net",
    type="network",
    module="pytest_twin.stressors.kinds.net",
    units=(RATE, MAX),
    bare=None,
    amounts='a rate over the loopback interface such as "50MB/s", or "max"',
    modifiers=(),
    measure="sent_bytes",
)

BLOCK = 64 * 1024
LONGEST_S = 0.01  # between two sends at a low rate
RATE_PER_WORKER = 500e6  # bytes per second that one worker achieves on any machine
ADDRESS = "127.0.0.1"
TIMEOUT_S = 5.0


def workers(job: Job) -> int:
    """Return as many workers as the rate needs, up to the usable CPUs."""
    return _rate_pacer.workers(job, RATE_PER_WORKER, math.ceil(usable_cpus()))


def demand(job: Job) -> float:
    """Return the highest rate that is requested, in bytes per second."""
    return _rate_pacer.demand(job)


def stress(job: Job) -> None:
    """Send and receive until stopped."""
    rate = min(demand(job) / job.workers, BLOCK / LONGEST_S)
    size = max(1, int(rate * LONGEST_S))
    with LoopbackConnection() as connection:
        connection.transfer(size)
        _rate_pacer.keep_rate(job, "sent_bytes", size, lambda: connection.transfer(size))


class LoopbackConnection:
    """A TCP connection of this process with itself."""

    def __init__(self) -> None:
        """Connect.

        Raises:
            OSError: The loopback interface cannot be used.
        """
        try:
            self._out, self._in = _connect()
        except OSError as error:
            raise OSError(f"{ADDRESS} cannot be used: {error.strerror or error}") from None
        self._out.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # with a timeout, send() sends what fits into the buffer, and that is received before the next call
        self._out.settimeout(TIMEOUT_S)
        self._in.settimeout(TIMEOUT_S)
        self._block = memoryview(bytes(BLOCK))
        self._received = bytearray(BLOCK)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._out.close()
        self._in.close()

    def transfer(self, size: int) -> int:
        """Send some bytes and receive them; return their number.

        Raises:
            OSError: No data arrives.
        """
        transferred = 0
        try:
            while transferred < size:
                sent = self._out.send(self._block[: size - transferred])
                transferred += sent
                while sent:
                    sent -= self._in.recv_into(self._received)
        except TimeoutError:
            raise OSError(f"no data arrives over {ADDRESS}") from None
        return transferred


def _connect() -> tuple[socket.socket, socket.socket]:
    """Return both ends of a connection; other connections are closed, and nothing listens afterwards."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind((ADDRESS, 0))
        listener.listen(8)
        listener.settimeout(TIMEOUT_S)
        client = socket.create_connection(listener.getsockname(), TIMEOUT_S)
        while True:
            server, peer = listener.accept()
            if peer == client.getsockname():
                return client, server
            server.close()
