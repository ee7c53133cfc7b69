"""Network load: TCP over the loopback interface at a rate, or as fast as it goes.

Each worker talks to itself, over a connection that nobody else can join: what it sends at one end it receives at the
other, so nothing listens while the load is there, and the connection is gone with the process.
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
LONGEST_S = 0.01  # a move, at a low rate
A_WORKER = 500e6  # bytes a second that one worker is sure to manage
ADDRESS = "127.0.0.1"
WITHIN_S = 5.0


def workers(job: Job) -> int:
    """One, and more for what one cannot manage, up to the usable CPUs."""
    return _rate_pacer.workers(job, A_WORKER, math.ceil(usable_cpus()))


def demand(job: Job) -> float:
    """Bytes a second that are asked for at most."""
    return _rate_pacer.demand(job)


def stress(job: Job) -> None:
    """Send and receive until stopped."""
    rate = min(demand(job) / job.workers, BLOCK / LONGEST_S)
    size = max(1, int(rate * LONGEST_S))
    with LoopbackConnection() as loop:
        loop.carry(size)
        _rate_pacer.keep_rate(job, "sent_bytes", size, lambda: loop.carry(size))


class LoopbackConnection:
    """A TCP connection of this process with itself."""

    def __init__(self) -> None:
        """Connect.

        Raises:
            OSError: The loopback interface cannot be used.
        """
        try:
            self._out, self._in = _connected()
        except OSError as error:
            raise OSError(f"{ADDRESS} cannot be used: {error.strerror or error}") from None
        self._out.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # with one, it sends what there is room for, and that is received before the next
        self._out.settimeout(WITHIN_S)
        self._in.settimeout(WITHIN_S)
        self._block = memoryview(bytes(BLOCK))
        self._room = bytearray(BLOCK)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._out.close()
        self._in.close()

    def carry(self, size: int) -> int:
        """Send so many bytes, receive them, and come back with how many they were.

        Raises:
            OSError: Nothing arrives any more.
        """
        carried = 0
        try:
            while carried < size:
                sent = self._out.send(self._block[: size - carried])
                carried += sent
                while sent:
                    sent -= self._in.recv_into(self._room)
        except TimeoutError:
            raise OSError(f"nothing arrives over {ADDRESS} any more") from None
        return carried


def _connected() -> tuple[socket.socket, socket.socket]:
    """Both ends of a connection; whoever else connects is turned away, and nothing listens afterwards."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as listener:
        listener.bind((ADDRESS, 0))
        listener.listen(8)
        listener.settimeout(WITHIN_S)
        ours = socket.create_connection(listener.getsockname(), WITHIN_S)
        while True:
            theirs, peer = listener.accept()
            if peer == ours.getsockname():
                return ours, theirs
            theirs.close()
