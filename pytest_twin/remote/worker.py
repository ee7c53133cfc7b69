"""The end of a pytest-xdist worker on another host: it records there, and hands its rows over to the controller.

The rows are written into a folder of the worker's own, as everywhere, and a thread sends on what the files have got;
`conversation` has the words for it.
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
from pytest_twin.remote.clock_offset import Offset
from pytest_twin.remote.protocol import BEAT_S, ControllerChannel, RemoteError
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import ANNOTATIONS, DATASET, FINGERPRINT, OTHER_WORKERS, TESTS

PIECE = 64 << 10  # the most bytes that are handed over at once
STOP_WITHIN_S = 10.0  # a session that is interrupted since nobody can hear of it any more
BOOT_ID = "/proc/sys/kernel/random/boot_id"


class Growing:
    """A file that others write, read as it grows."""

    def __init__(self, path: Path) -> None:
        self._path, self._fd = path, -1

    def piece(self) -> bytes:
        """What has come to it since the last call, or the beginning of that."""
        if self._fd < 0:
            try:
                self._fd = os.open(self._path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0))
            except OSError:  # it is not there yet
                return b""
        return os.read(self._fd, PIECE)

    def close(self) -> None:
        """Let go of it."""
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = -1


class RemoteWorker:
    """The worker's end; a context manager around all that is recorded.

    Attributes:
        clock: The run's clock, as it is on this host.
        folder: Where this worker writes.
        host: What its host is called in the run.
        samples: Whether this worker records for its host: it has the sampler and plays the session's schedule.
        turns: The folder by which the workers of this host take turns; that of the worker which samples.
        dataset: The samples of this host.
    """

    def __init__(self, channel: Any, worker: str, timeout_s: float) -> None:
        """Meet the controller.

        Args:
            channel: To it, by execnet.
            worker: The name of this worker.
            timeout_s: How long nothing may be heard of it before it is given up.

        Raises:
            HandoverError: It does not answer.
            OSError: There can be no folder here.
        """
        self._temporary = WatchedTemporaryDirectory()
        self.folder = RunFolder(self._temporary.path)
        self._ending, self._closed = InterruptSafeEvent(), InterruptSafeEvent()
        self._has_ended = False
        self._leave: Callable[[str], None] = lambda _: None
        self._mark: Path | None = None
        self._losing = threading.Lock()
        self._handing = threading.Lock()
        self._files = {
            ANNOTATIONS: Growing(self.folder.part(ANNOTATIONS, worker)),
            TESTS: Growing(self.folder.part(TESTS, worker)),
            DATASET: Growing(self.folder / DATASET),
        }
        self._fingerprint = Growing(self.folder / FINGERPRINT)
        try:
            self._controller = ControllerChannel(channel, timeout_s, self._lose)
            self._meet()
        except BaseException:
            self._temporary.remove()
            raise
        for work in (self._hand_over_until_the_end, self._watch):
            threading.Thread(target=work, name="twin-handover", daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Hand over the rest, and leave nothing here."""
        self._ending.set()
        try:
            if not self._has_ended:
                self._tell_clock(self._controller.offset())
                self._controller.ask_if_wanted()  # which may be so only now
                self._hand_over()
        except (RemoteError, OSError):  # nobody is there to have it
            pass
        with self._losing:
            for file in (*self._files.values(), self._fingerprint):
                file.close()
            self._remove()
            self._closed.set()
        self._controller.close()

    def begin(self, leave: Callable[[str], None]) -> None:
        """Tell the controller that there is something to record.

        Args:
            leave: Ends what the recording has running; called with the reason, from another thread, when the controller
                is gone.
        """
        self._leave = leave
        if not self._has_ended:
            self._controller.say("asks")

    def wait_for_others(self) -> None:
        """Come back when no other worker of this host needs the samples of this one, or if they need none."""
        if self.samples and not self._has_ended:
            self._controller.say("bye")
            try:
                self._controller.answer("end", for_ever=True)
            except RemoteError:
                pass

    def _meet(self) -> None:
        offset = self._controller.offset()
        self._controller.say("hello", {"hostname": platform.node(), "boot": _boot(), "turns": str(self.folder.path)})
        welcome = self._controller.answer("welcome")[0]
        began, epoch = welcome["clock"]
        self.clock = Clock(began - offset.seconds, epoch)
        self.host: str = welcome["host"]
        self.samples: bool = welcome["samples"]
        turns = Path(welcome["turns"])
        self.turns = turns if turns.is_dir() else self.folder.path
        self.dataset = (self.folder.path if self.samples else self.turns) / DATASET
        self._is_here(self.turns / OTHER_WORKERS)
        self._tell_clock(offset)

    def _is_here(self, workers: Path) -> None:
        """Let the sampler of this host know of the process, also if it is another worker's."""
        try:
            workers.mkdir(mode=0o700, exist_ok=True)
            if not self.samples:
                self._mark = workers / str(os.getpid())
                self._mark.touch(mode=0o600)
        except OSError:  # that worker has just ended
            pass

    def _tell_clock(self, offset: Offset) -> None:
        ahead = time.time() - (self.clock.epoch + self.clock.elapsed(monotonic()))
        self._controller.say("clock", offset.seconds, offset.uncertainty_s, ahead)

    # rows

    def _hand_over_until_the_end(self) -> None:
        while not self._ending.wait(BEAT_S):
            try:
                self._controller.say("beat")
                self._hand_over()
            except (RemoteError, OSError):
                return

    def _hand_over(self) -> None:
        """Send what there is; one piece of each file in turn, so that none waits for a long one."""
        if not self._controller.is_wanted:
            return
        with self._handing:
            if document := self._fingerprint.piece():
                self._controller.say("fingerprint", document)
            left = dict(self._files)
            while left:
                for name, file in list(left.items()):
                    if piece := file.piece():
                        self._controller.say("rows", name, piece)
                    else:
                        del left[name]

    # the end that nobody wanted

    def _watch(self) -> None:
        """Notice that the controller cannot be reached, of which the network tells nothing."""
        while self._controller.is_heard():
            if self._closed.wait(BEAT_S):
                return
        if self._closed.is_set() or self._has_ended:
            return
        self._controller.give_up()
        self._lose()
        _interrupt()  # execnet does so too where it hears of the end
        self._closed.wait(STOP_WITHIN_S)
        os._exit(1)  # noqa: SLF001 - nobody could tell this process anything any more

    def _lose(self) -> None:
        """Leave no load and no file: nobody is there for whom they are."""
        with self._losing:
            if self._has_ended or self._closed.is_set():
                return
            self._has_ended = True
            self._ending.set()
            self._leave("the controller is gone")
            self._remove()

    def _remove(self) -> None:
        if self._mark is not None:
            self._mark.unlink(missing_ok=True)
        self._temporary.remove()


def _boot() -> str:
    """What tells this start of this machine from any other."""
    try:
        with open(BOOT_ID, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        import psutil

        return str(round(psutil.boot_time()))


def _interrupt() -> None:
    """Have the session end as Ctrl-C does it."""
    if sys.platform == "win32":
        import _thread

        _thread.interrupt_main()
    else:
        os.kill(os.getpid(), signal.SIGINT)
