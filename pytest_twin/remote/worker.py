"""The side of a pytest-xdist worker on another host: it records there, and sends its rows to the controller.

The rows are written into a temporary folder of the worker, as in any run, and a thread sends what is appended to the
files. `remote.controller` is the other side, `remote.protocol` has the messages.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from pytest_twin._system.clock import monotonic
from pytest_twin._system.interruptible_event import InterruptSafeEvent
from pytest_twin._system.stdlib import os, signal, sys, threading, time
from pytest_twin._system.temporary_directory import WatchedTemporaryDirectory
from pytest_twin.model.clock import Clock
from pytest_twin.remote import protocol
from pytest_twin.remote.clock_offset import ClockOffset
from pytest_twin.remote.protocol import HEARTBEAT_S, ControllerChannel, RemoteError
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.follow import FileFollower
from pytest_twin.run_folder.layout import ANNOTATIONS, DATASET, FINGERPRINT, OTHER_WORKERS, TESTS

PIECE = 64 << 10  # the most bytes of one message
STOP_WITHIN_S = 10.0  # for the session to end after it was interrupted because the controller is lost
BOOT_ID = "/proc/sys/kernel/random/boot_id"


class RemoteWorker:
    """The worker's side of the connection; a context manager around all that is recorded.

    Attributes:
        clock: The clock of the run, converted to the monotonic clock of this host.
        folder: The temporary folder to which this worker writes.
        host: The name of this host in the run.
        samples: Whether this worker records for its host: it has the sampler and plays the session's schedule.
        lock_dir: The folder for the lock by which the workers of this host run stressed tests alone.
        dataset: The dataset of this host.
    """

    def __init__(self, channel: Any, worker: str, timeout_s: float) -> None:
        """Connect to the controller.

        Args:
            channel: The channel of execnet to it.
            worker: The name of this worker.
            timeout_s: Seconds without contact before the controller is considered lost.

        Raises:
            RemoteError: The controller does not answer.
            OSError: The temporary folder cannot be made.
        """
        self._temporary = WatchedTemporaryDirectory()
        self.folder = RunFolder(self._temporary.path)
        self._stop_sending, self._closed = InterruptSafeEvent(), InterruptSafeEvent()
        self._is_lost = False
        self._abandon: Callable[[str], None] = lambda _: None
        self._process_file: Path | None = None
        self._closing_lock, self._sending_lock = threading.Lock(), threading.Lock()
        self._files = {
            ANNOTATIONS: FileFollower(self.folder.part(ANNOTATIONS, worker), PIECE),
            TESTS: FileFollower(self.folder.part(TESTS, worker), PIECE),
            DATASET: FileFollower(self.folder / DATASET, PIECE),
        }
        self._fingerprint = FileFollower(self.folder / FINGERPRINT, PIECE)
        try:
            self._controller = ControllerChannel(channel, timeout_s, self._on_controller_lost)
            self._introduce()
        except BaseException:
            self._temporary.remove()
            raise
        for work in (self._send_until_the_end, self._watch_controller):
            threading.Thread(target=work, name="twin-handover", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Send the last rows, and remove everything from this host."""
        self._stop_sending.set()
        try:
            if not self._is_lost:
                self._report_clock(self._controller.measure_offset())
                self._controller.query_recording()  # recording may have begun since the last heartbeat
                self._send_files()
        except (RemoteError, OSError):  # the controller is lost
            pass
        with self._closing_lock:
            for file in (*self._files.values(), self._fingerprint):
                file.close()
            self._remove_files()
            self._closed.set()
        self._controller.close()

    def request_recording(self, abandon: Callable[[str], None]) -> None:
        """Tell the controller that there is something to record.

        Args:
            abandon: Stops all processes of the recording; called with the reason, from another thread, when the
                controller is lost.
        """
        self._abandon = abandon
        if not self._is_lost:
            self._controller.send(protocol.RecordingRequest())

    def wait_for_others(self) -> None:
        """Wait until no other worker of this host needs the samples of this one."""
        if self.samples and not self._is_lost:
            self._controller.send(protocol.NoMoreTests())
            try:
                self._controller.wait_for(protocol.SamplingEnd, has_timeout=False)
            except RemoteError:
                pass

    def _introduce(self) -> None:
        offset = self._controller.measure_offset()
        self._controller.send(protocol.Hello(platform.node(), _boot_id(), str(self.folder.path)))
        welcome = self._controller.wait_for(protocol.Welcome)
        began, epoch = welcome.clock
        self.clock = Clock(began - offset.seconds, epoch)
        self.host, self.samples = welcome.host, welcome.samples
        lock_dir = Path(welcome.lock_dir)
        self.lock_dir = lock_dir if lock_dir.is_dir() else self.folder.path
        self.dataset = (self.folder.path if self.samples else self.lock_dir) / DATASET
        self._register_process(self.lock_dir / OTHER_WORKERS)
        self._report_clock(offset)

    def _register_process(self, processes: Path) -> None:
        """Let the sampler of this host know of this process, also if it is the sampler of another worker."""
        try:
            processes.mkdir(mode=0o700, exist_ok=True)
            if not self.samples:
                self._process_file = processes / str(os.getpid())
                self._process_file.touch(mode=0o600)
        except OSError:  # that worker has just ended
            pass

    def _report_clock(self, offset: ClockOffset) -> None:
        ahead_s = time.time() - (self.clock.epoch + self.clock.elapsed(monotonic()))
        self._controller.send(protocol.ClockReport(offset.seconds, offset.uncertainty_s, ahead_s))

    # rows

    def _send_until_the_end(self) -> None:
        while not self._stop_sending.wait(HEARTBEAT_S):
            try:
                self._controller.send(protocol.WorkerHeartbeat())
                self._send_files()
            except (RemoteError, OSError):
                return

    def _send_files(self) -> None:
        """Send what was appended to the files: one piece of each in turn, so that none waits for a long one."""
        if not self._controller.is_recording:
            return
        with self._sending_lock:
            for document in self._fingerprint.pieces():
                self._controller.send(protocol.FingerprintText(document))
            unsent = {name: file.pieces() for name, file in self._files.items()}
            while unsent:
                for name, pieces in list(unsent.items()):
                    if piece := next(pieces, b""):
                        self._controller.send(protocol.FilePiece(name, piece))
                    else:
                        del unsent[name]

    # a controller that is lost

    def _watch_controller(self) -> None:
        """Notice that the controller cannot be reached, which the network does not report."""
        while self._controller.wait_for_contact():
            if self._closed.wait(HEARTBEAT_S):
                return
        if self._closed.is_set() or self._is_lost:
            return
        self._controller.stop_waiting()
        self._on_controller_lost()
        _interrupt()  # execnet does so too where it notices the end of the connection
        self._closed.wait(STOP_WITHIN_S)
        os._exit(1)  # noqa: SLF001 - nobody can tell this process anything any more

    def _on_controller_lost(self) -> None:
        """Leave no load and no file: they are of no use to anybody."""
        with self._closing_lock:
            if self._is_lost or self._closed.is_set():
                return
            self._is_lost = True
            self._stop_sending.set()
            self._abandon("the connection to the controller is lost")
            self._remove_files()

    def _remove_files(self) -> None:
        if self._process_file is not None:
            self._process_file.unlink(missing_ok=True)
        self._temporary.remove()


def _boot_id() -> str:
    """Return an id of this start of the machine."""
    try:
        with open(BOOT_ID, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        import psutil

        return str(round(psutil.boot_time()))


def _interrupt() -> None:
    """End the session as Ctrl-C does."""
    if sys.platform == "win32":
        import _thread

        _thread.interrupt_main()
    else:
        os.kill(os.getpid(), signal.SIGINT)
