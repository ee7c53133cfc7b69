"""The controller's side of pytest-xdist workers on other hosts: it receives their rows, and notices that one is lost.

`remote.worker` is the other side, `remote.protocol` has the messages; `remote.intake` adds the rows to the run folder.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from pytest_twin._system.clock import monotonic
from pytest_twin._system.interruptible_event import InterruptSafeEvent
from pytest_twin.remote import protocol
from pytest_twin.remote.gateways import address_of, name_of
from pytest_twin.remote.intake import RemoteHost, WorkerConnection
from pytest_twin.remote.protocol import HEARTBEAT_S
from pytest_twin.run_folder.layout import HOSTS

if TYPE_CHECKING:
    from pytest_twin.model.clock import Clock
    from pytest_twin.run_folder.folder import RunFolder


class RemoteHosts:
    """All other hosts of a run, and the connections to the workers on them.

    Attributes:
        timeout_s: Seconds without contact before a worker is considered lost.
    """

    def __init__(
        self,
        folder: RunFolder,
        clock: Clock,
        timeout_s: float,
        is_recording: Callable[[], bool],
        note: Callable[[str, dict[str, Any]], None],
    ) -> None:
        """Prepare it.

        Args:
            folder: The run folder.
            clock: The clock of the run.
            timeout_s: Seconds without contact before a worker is considered lost.
            is_recording: Returns whether the run is recorded, so that there is a folder for rows.
            note: Writes a note with its text and its fields; called from any thread.
        """
        self._folder, self._clock, self.timeout_s = folder, clock, timeout_s
        self._is_recording, self._note = is_recording, note
        self._connections: list[WorkerConnection] = []
        self._hosts: list[RemoteHost] = []
        self._lock = threading.RLock()  # several gateways have a thread each
        self._end = InterruptSafeEvent()
        self._watcher: threading.Thread | None = None
        self._handlers: Mapping[type, Callable[[WorkerConnection, Any], None]] = {
            protocol.Ping: self._on_ping,
            protocol.Hello: self._on_hello,
            protocol.ClockReport: self._on_clock_report,
            protocol.RecordingRequest: self._on_recording_request,
            protocol.FilePiece: self._on_file_piece,
            protocol.FingerprintText: self._on_fingerprint,
            protocol.WorkerHeartbeat: self._on_heartbeat,
            protocol.NoMoreTests: self._on_no_more_tests,
            protocol.RecordingQuery: self._on_recording_query,
        }

    @property
    def wants_recording(self) -> bool:
        """Whether any of the workers has something to record."""
        return any(connection.wants_recording for connection in self._connections)

    def connect(self, node: Any) -> Any:
        """Open the channel over which a worker that is about to start sends its rows, and return it."""
        connection = WorkerConnection(node, node.gateway.newchannel())
        with self._lock:
            self._connections.append(connection)
            if self._watcher is None:
                self._watcher = threading.Thread(target=self._watch, name="twin-hosts", daemon=True)
                self._watcher.start()
        connection.channel.setcallback(
            lambda received: self._receive(connection, received), endmarker=protocol.DISCONNECT
        )
        return connection.channel

    def host_of(self, node: Any) -> str:
        """Return the name of the host of a worker, empty for pytest's own."""
        hosts = (each.host.name for each in self._connections if each.node is node and each.host is not None)
        return next(hosts, "")

    def disconnect(self, node: Any) -> None:
        """Close the connection to a worker that has ended, if it has one."""
        with self._lock:
            for connection in self._connections:
                if connection.node is node:
                    self._close_connection(connection)

    def close(self) -> None:
        """Close all connections, write hosts.json, and note what was lost."""
        self._end.set()
        if self._watcher is not None:
            self._watcher.join()
        with self._lock:
            for connection in self._connections:
                self._close_connection(connection)
            for host in self._hosts:
                host.close()
            self._write()
        if not self._is_recording():
            return
        for connection in self._connections:
            worker = connection.worker
            if connection.malformed:
                text = f"ignored {connection.malformed} malformed rows or messages from {worker}"
                self._note(text, {"worker": worker})
            if connection.dropped:
                self._note(f"could not write {connection.dropped} rows from {worker}", {"worker": worker})

    # messages of a worker, in the thread that listens to its gateway

    def _receive(self, connection: WorkerConnection, received: Any) -> None:
        connection.last_contact = monotonic()
        with self._lock:
            if received is protocol.DISCONNECT or connection.is_closed:
                return
            try:
                message = protocol.decode(received, protocol.WORKER_MESSAGES)
                self._handlers[type(message)](connection, message)
            except OSError:
                connection.dropped += 1
            except (AttributeError, LookupError, TypeError, ValueError, RecursionError):
                connection.malformed += 1

    def _on_ping(self, connection: WorkerConnection, _: protocol.Ping) -> None:
        connection.send(protocol.Pong(monotonic()))

    def _on_heartbeat(self, connection: WorkerConnection, _: protocol.WorkerHeartbeat) -> None:
        connection.send(protocol.ControllerHeartbeat(self._is_recording()))

    def _on_recording_query(self, connection: WorkerConnection, _: protocol.RecordingQuery) -> None:
        connection.send(protocol.RecordingState(self._is_recording()))

    def _on_hello(self, connection: WorkerConnection, hello: protocol.Hello) -> None:
        identity = str(hello.hostname), str(hello.boot)
        host = self._host(identity, address_of(connection.node.gateway.spec))
        connection.host = host
        host.connections.append(connection)
        host.document["workers"][connection.worker] = {}
        is_first = host.sampling_worker is None
        if is_first:
            host.sampling_worker = connection
            host.lock_dir = str(hello.lock_dir)
        clock = [self._clock.began, self._clock.epoch]
        connection.send(protocol.Welcome(host.name, clock, is_first, host.lock_dir))

    def _on_clock_report(self, connection: WorkerConnection, report: protocol.ClockReport) -> None:
        if connection.host is not None:
            entry = {
                "at_s": round(self._clock.elapsed(monotonic()), 4),
                "offset_s": round(float(report.offset_s), 7),
                "uncertainty_s": round(float(report.uncertainty_s), 7),
                "calendar_ahead_s": round(float(report.calendar_ahead_s), 4),
            }
            connection.host.document["workers"][connection.worker].setdefault("clock", []).append(entry)

    def _on_recording_request(self, connection: WorkerConnection, _: protocol.RecordingRequest) -> None:
        connection.wants_recording = True

    def _on_file_piece(self, connection: WorkerConnection, rows: protocol.FilePiece) -> None:
        connection.send(protocol.ControllerHeartbeat(is_recording=True))  # no silence while a long file is worked on
        connection.add_rows(self._folder, rows.table, rows.piece)

    def _on_fingerprint(self, connection: WorkerConnection, fingerprint: protocol.FingerprintText) -> None:
        if connection.host is not None and connection.host.sampling_worker is connection:
            connection.host.set_fingerprint(fingerprint.text)
            self._write()

    def _on_no_more_tests(self, connection: WorkerConnection, _: protocol.NoMoreTests) -> None:
        """Let it end; the worker that samples goes on as long as others of its host have tests."""
        connection.has_tests = False
        self._end_idle_sampling(connection.host)

    def _host(self, identity: tuple[str, str], address: str) -> RemoteHost:
        known = next((host for host in self._hosts if host.identity == identity), None)
        if known is not None:
            return known
        name, taken = name_of(address), {host.name.casefold() for host in self._hosts}
        number = 1
        while (unique := f"{name}-{number}" if number > 1 else name).casefold() in taken:
            number += 1
        self._hosts.append(RemoteHost(unique, identity, address, self._folder))
        return self._hosts[-1]

    def _close_connection(self, connection: WorkerConnection) -> None:
        if connection.is_closed:
            return
        connection.is_closed = True
        connection.close()
        if connection.host is not None:
            connection.host.connections.remove(connection)
            if connection.host.sampling_worker is connection:
                connection.host.sampling_worker = None
            self._end_idle_sampling(connection.host)

    def _end_idle_sampling(self, host: RemoteHost | None) -> None:
        """Let the worker that samples for a host end, when no worker there has tests."""
        if (
            host is not None
            and host.sampling_worker is not None
            and not any(each.has_tests for each in host.connections)
        ):
            host.sampling_worker.send(protocol.SamplingEnd())

    def _write(self) -> None:
        if self._hosts and self._is_recording():
            self._folder.write_json(HOSTS, {host.name: host.document for host in self._hosts})

    # hosts that are cut off

    def _watch(self) -> None:
        """Give up each worker without contact for too long."""
        last_turn = monotonic()
        while not self._end.wait(HEARTBEAT_S):
            now = monotonic()
            paused_s, last_turn = now - last_turn - HEARTBEAT_S, now
            for connection in list(self._connections):
                if paused_s > HEARTBEAT_S:  # this process did not listen
                    connection.last_contact = max(connection.last_contact, now)
                    continue
                silent_s = now - connection.last_contact
                if connection.host is not None and not connection.is_closed and silent_s > self.timeout_s:
                    self._give_up(connection, connection.host, silent_s)

    def _give_up(self, connection: WorkerConnection, host: RemoteHost, silent_s: float) -> None:
        """End a connection, so that pytest-xdist reports its worker as crashed."""
        with self._lock:
            host.document["workers"][connection.worker]["given_up_at_s"] = round(self._clock.elapsed(monotonic()), 4)
            self._close_connection(connection)
        if self._is_recording():
            text = f"{host.name} did not respond for {silent_s:.1f} s and is considered lost"
            self._note(text, {"host": host.name, "worker": connection.worker})
        break_connection(connection.node.gateway)
        try:
            connection.node.channel.close()
        except (AttributeError, OSError):  # it is not open yet, or has ended by that
            pass


def break_connection(gateway: Any) -> None:
    """Break a connection on this side, where waiting for the other side would take minutes."""
    while gateway.spec.via:  # a connection that leads through another gateway ends with that
        gateway = gateway._group[gateway.spec.via]  # noqa: SLF001
    io = gateway._io  # noqa: SLF001 - `Gateway.exit` waits for the other side
    io.kill()
    if hasattr(io, "sock"):
        io.close_read()
