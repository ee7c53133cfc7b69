"""The protocol between a pytest-xdist worker on another host and its controller, over a channel of execnet.

Each message is a tuple of its word and its fields. Both sides send a heartbeat twice a second, so that each notices in
time that the other one cannot be reached any more.
"""

from __future__ import annotations

import queue
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pytest_twin._system.clock import monotonic
from pytest_twin._system.interruptible_event import InterruptSafeEvent
from pytest_twin._system.stdlib import threading
from pytest_twin.remote.clock_offset import ClockOffset, estimate_offset

if TYPE_CHECKING:
    from collections.abc import Callable

HEARTBEAT_S = 0.5
DISCONNECT = None  # what execnet passes to a callback when the connection has ended


# messages of a worker


class Ping(NamedTuple):
    """Ask for the time of the controller's monotonic clock."""


class Hello(NamedTuple):
    """Introduce the worker.

    Attributes:
        hostname: The name of its host, by the host itself.
        boot: An id of this start of the machine.
        lock_dir: A folder for the lock by which the workers of this host run stressed tests alone.
    """

    hostname: str
    boot: str
    lock_dir: str


class ClockReport(NamedTuple):
    """Report the offset of the worker's clock, when the worker begins and when it ends.

    Attributes:
        offset_s: What the controller's monotonic clock is ahead of the worker's.
        uncertainty_s: The largest possible error of that.
        calendar_ahead_s: What the calendar clock of the worker's host is ahead of the run's.
    """

    offset_s: float
    uncertainty_s: float
    calendar_ahead_s: float


class RecordingRequest(NamedTuple):
    """Tell that the worker has something to record."""


class FilePiece(NamedTuple):
    """Send what was appended to a table.

    Attributes:
        table: The name of the file.
        piece: The bytes; a row may be cut at either end.
    """

    table: str
    piece: bytes


class FingerprintText(NamedTuple):
    """Send the JSON document about hardware and software of the worker's host."""

    text: bytes


class WorkerHeartbeat(NamedTuple):
    """Show that the worker can be reached."""


class NoMoreTests(NamedTuple):
    """Tell that the worker runs no more tests."""


class RecordingQuery(NamedTuple):
    """Ask whether the run is recorded."""


# messages of the controller


class Pong(NamedTuple):
    """Answer a ping.

    Attributes:
        at: The time of the controller's monotonic clock.
    """

    at: float


class Welcome(NamedTuple):
    """Answer a hello.

    Attributes:
        host: The name of the worker's host in the run.
        clock: When the run began, by the controller's monotonic clock and in seconds since 1970.
        samples: Whether the worker records the samples of its host.
        lock_dir: The folder for the lock that all workers of the host use.
    """

    host: str
    clock: Sequence[float]
    samples: bool
    lock_dir: str


class ControllerHeartbeat(NamedTuple):
    """Show that the controller can be reached.

    Attributes:
        is_recording: Whether the run is recorded, so that the worker should send its rows.
    """

    is_recording: bool


class RecordingState(NamedTuple):
    """Answer a query: whether the run is recorded."""

    is_recording: bool


class SamplingEnd(NamedTuple):
    """Tell the worker that samples that no other worker of its host needs its samples any more."""


WORKER_MESSAGES: Mapping[str, Any] = {
    "ping": Ping,
    "hello": Hello,
    "clock": ClockReport,
    "asks": RecordingRequest,
    "rows": FilePiece,
    "fingerprint": FingerprintText,
    "beat": WorkerHeartbeat,
    "bye": NoMoreTests,
    "wanted": RecordingQuery,
}
CONTROLLER_MESSAGES: Mapping[str, Any] = {
    "pong": Pong,
    "welcome": Welcome,
    "beat": ControllerHeartbeat,
    "wanted": RecordingState,
    "end": SamplingEnd,
}
_WORDS = {kind: word for table in (WORKER_MESSAGES, CONTROLLER_MESSAGES) for word, kind in table.items()}

Message = TypeVar("Message", bound=tuple[Any, ...])


def encode(message: tuple[Any, ...]) -> tuple[Any, ...]:
    """Return a message as it is sent."""
    return (_WORDS[type(message)], *message)


def decode(received: Any, table: Mapping[str, Any]) -> Any:
    """Return the message that was received.

    Args:
        received: What came over the channel, whatever it is.
        table: The messages of the other side.

    Raises:
        LookupError, TypeError, ValueError: It is no message, or has other fields.
    """
    word, *fields = received
    return table[word](*fields)


class RemoteError(RuntimeError):
    """The controller cannot be reached; the message is for the user."""


class ControllerChannel:
    """The worker's side of a connection.

    Attributes:
        is_recording: Whether the run is recorded, by the last message of the controller.
    """

    def __init__(self, channel: Any, timeout_s: float, on_disconnect: Callable[[], None]) -> None:
        """Begin to listen.

        Args:
            channel: The channel of execnet to the controller.
            timeout_s: Seconds that an answer may take.
            on_disconnect: Called, from the thread that listens to the gateway, when the connection has ended.
        """
        _serialize_writes(channel)
        self._channel, self._timeout_s, self._on_disconnect = channel, timeout_s, on_disconnect
        self._answers: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._contact = InterruptSafeEvent()
        self.is_recording = False
        channel.setcallback(self._receive, endmarker=DISCONNECT)

    def send(self, message: tuple[Any, ...]) -> None:
        """Send a message.

        Raises:
            RemoteError: The connection has ended.
        """
        try:
            self._channel.send(encode(message))
        except OSError as error:
            raise RemoteError(f"the controller cannot be reached: {error}") from None

    def wait_for(self, kind: type[Message], *, has_timeout: bool = True) -> Message:
        """Wait for an answer of one kind; others that come before it are dropped.

        Raises:
            RemoteError: It did not come in time, or the connection has ended.
        """
        while True:
            try:
                answer = self._answers.get(timeout=self._timeout_s if has_timeout else None)
            except queue.Empty:
                raise RemoteError(f"the controller did not answer within {self._timeout_s:g} s") from None
            if answer is DISCONNECT:
                self._answers.put(DISCONNECT)  # for the next one that waits
                raise RemoteError("the connection to the controller has ended")
            if isinstance(answer, kind):
                return answer

    def query_recording(self) -> None:
        """Ask whether the run is recorded, and set `is_recording`.

        Raises:
            RemoteError: The controller does not answer.
        """
        self.send(RecordingQuery())
        self.is_recording = self.wait_for(RecordingState).is_recording

    def measure_offset(self) -> ClockOffset:
        """Measure what the controller's clock is ahead of ours.

        Raises:
            RemoteError: The controller does not answer.
        """
        return estimate_offset(self._ask_time, monotonic)

    def wait_for_contact(self) -> bool:
        """Return whether a message came since the last call, or comes in the time that an answer may take."""
        if not self._contact.wait(self._timeout_s):
            return False
        self._contact.clear()
        return True

    def stop_waiting(self) -> None:
        """Let no thread wait for an answer any more."""
        self._answers.put(DISCONNECT)

    def close(self) -> None:
        """Close the channel; nothing more is sent."""
        try:
            self._channel.close()
        except OSError:
            pass

    def _ask_time(self) -> float:
        self.send(Ping())
        return float(self.wait_for(Pong).at)

    def _receive(self, received: Any) -> None:
        if received is DISCONNECT:
            self.stop_waiting()
            self._on_disconnect()
            return
        self._contact.set()
        try:
            message = decode(received, CONTROLLER_MESSAGES)
        except (LookupError, TypeError, ValueError):  # of a controller that knows more messages
            return
        if isinstance(message, ControllerHeartbeat):
            self.is_recording = message.is_recording
        else:
            self._answers.put(message)


def _serialize_writes(channel: Any) -> None:
    """Keep the messages of two threads apart: execnet mixes them in a socket that is full (but not in a pipe)."""
    io = channel.gateway._io  # noqa: SLF001 - there is no other way to it
    if hasattr(io, "sock") and not hasattr(io, "twin_lock"):
        write, io.twin_lock = io.write, threading.Lock()

        def write_whole(data: bytes) -> None:
            with io.twin_lock:
                write(data)

        io.write = write_whole
