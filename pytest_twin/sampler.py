"""Our end of the sampler: a process of its own (`sampling`), since a thread in a busy test process samples late."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pytest_twin import environment, ours
from pytest_twin.latch import Latch
from pytest_twin.model.clock import monotonic

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_twin.model.clock import Clock

READY_WITHIN_S = 10.0
END_WITHIN_S = 5.0
GO = STOP = b"\n"
PROGRAM = """from pytest_twin.sampling import main
if left := main():
    from pytest_twin.orphaned import end_what_was_left
    end_what_was_left(*left)
"""
PACKAGE_FOLDER = os.path.dirname(os.path.abspath(__file__))


class SamplerError(RuntimeError):
    """The sampler cannot do its work; the message says why."""


class Sampled(NamedTuple):
    """What a sampler did.

    Attributes:
        rows: Rows written.
        missed: Rows whose time was over before they could be taken.
        dropped: Rows that could not be written.
        warnings: What could not be read or written, one line each.
    """

    rows: int = 0
    missed: int = 0
    dropped: int = 0
    warnings: tuple[str, ...] = ()

    def and_then(self, later: Sampled) -> Sampled:
        """Both together."""
        warnings = dict.fromkeys((*self.warnings, *later.warnings))
        return Sampled(
            self.rows + later.rows, self.missed + later.missed, self.dropped + later.dropped, tuple(warnings)
        )


class Gap(NamedTuple):
    """A time without samples.

    Attributes:
        began: `time.monotonic` when the sampler was found dead, or the machine awake.
        ended: The same when the next one was ready, None if there is none.
        reason: How it died, or how long the machine slept.
        what: What was away, ``sampler`` or ``machine``.
    """

    began: float
    ended: float | None
    reason: str
    what: str = "sampler"


class Sampler:
    """Starts the sampling process, starts it once more if it dies, and stops it.

    Attributes:
        sampled: What it did, as far as it has told.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        interval: float,
        *,
        has_tests: bool,
        per_core: bool = False,
        probes: Sequence[str] = (),
        rotate_at: int = 0,
        beside: str = "",
        told: Callable[[Gap], None] = lambda _: None,
    ) -> None:
        """Prepare it.

        Args:
            path: The dataset that it appends to; a header is written where the file is new.
            clock: The run's clock.
            interval: Seconds between rows.
            has_tests: Whether this process runs tests, whose own columns are filled then.
            per_core: Whether each CPU gets a column of its own.
            probes: Modules of probes besides our own.
            rotate_at: Bytes from which on the dataset goes on in a new file; 0 is never.
            beside: A folder in which other processes that run tests have a file each, named by their numbers.
            told: Called from the listening thread when the sampling process died, or the machine had been suspended.
        """
        numbers = (clock.began, clock.epoch, interval, os.getpid(), int(has_tests), int(per_core), rotate_at)
        self._orders = [str(path), *map(repr, numbers), beside, *probes]
        self._path, self._bare = path, sys.platform == "linux" and not probes
        self._tell = told
        self._process: subprocess.Popen[bytes] | None = None
        self._listener: threading.Thread | None = None
        self._stopping = False
        self._settled = Latch()  # ready, or known never to be
        self._failed = ""
        self.sampled = Sampled()

    def launch(self) -> None:
        """Start it, if that has not been done, and do not wait for it; it touches no file before `begin`.

        Raises:
            SamplerError: It cannot be started.
        """
        if self._process is not None:
            return
        try:
            self._process = self._spawn()
        except OSError as error:
            raise SamplerError(f"the sampler cannot be started: {error.strerror or error}") from None

    def begin(self) -> None:
        """Have it open its file and sample, as soon as it is up.

        Raises:
            SamplerError: Nobody can listen to it.
        """
        assert self._process is not None  # noqa: S101 - for the type checker
        listener = threading.Thread(target=self._listen, args=(self._process,), name="twin-sampler", daemon=True)
        try:
            listener.start()
        except RuntimeError as error:
            raise SamplerError(f"the sampler cannot be started: {error}") from None
        self._listener = listener
        say(self._process, GO)

    def wait_ready(self) -> None:
        """Come back when the first interval has begun.

        Raises:
            SamplerError: It did not come up.
        """
        if not self._settled.wait(READY_WITHIN_S):
            self._failed = f"it was not ready within {READY_WITHIN_S:g} s"
        if self._failed:
            self._end()
            raise SamplerError(f"the sampler did not start: {self._failed}")

    def start(self) -> None:
        """Start it, and wait for it.

        Raises:
            SamplerError: It did not come up.
        """
        self.launch()
        self.begin()
        self.wait_ready()

    @property
    def pid(self) -> int | None:
        """Its process id, None while there is no such process."""
        return self._process.pid if self._process else None

    def stop(self) -> None:
        """Have it take a last row and end, if it began to sample; what it did is in `sampled` then."""
        if self._listener is not None:
            self._end()
        elif self._process is not None:
            self._process.kill()
            with self._process:  # which waits for its end
                self._process = None

    def _end(self) -> None:
        self._stopping = True
        assert self._process is not None  # noqa: S101 - for the type checker
        assert self._listener is not None  # noqa: S101
        _dismiss(self._process)
        self._listener.join(END_WITHIN_S)
        if self._listener.is_alive():
            self._process.kill()  # which may be another one by now
            self._listener.join()
        self._process = self._listener = None

    def _spawn(self) -> subprocess.Popen[bytes]:
        path = [os.path.dirname(PACKAGE_FOLDER), *(() if self._bare else sys.path)]
        program = f"import sys; sys.path[:0] = {path!r}; {PROGRAM}"
        flags = ["-I", "-S"] if self._bare else ["-I"]
        return ours.Process(
            [sys.executable, *flags, "-c", program, *self._orders],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment.for_child(),
            start_new_session=True,
        )

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        """Hear what it says until it ends; start another one if it should not have ended."""
        reason = self._hear(process)
        if not self._settled.is_set():
            self._failed = reason
            self._settled.set()
        if self._stopping or not reason or self._failed:
            return
        began = monotonic()
        try:
            self._process = second = self._spawn()
        except OSError as error:
            self._tell(Gap(began, None, f"{reason}, and no other could be started: {error.strerror}"))
            return
        say(second, GO)
        heard = self._hear(second, lambda: self._tell(Gap(began, monotonic(), reason)))
        if heard and not self._stopping:
            self._tell(Gap(monotonic(), None, f"{heard} again"))

    def _hear(self, process: subprocess.Popen[bytes], ready: Callable[[], None] = lambda: None) -> str:
        """Take in what it says; comes back at its end with how it died, empty if it ended well."""
        size_before = self._path.stat().st_size if self._path.exists() else 0
        try:
            finished, words = self._take_in(process, ready)
        except OSError as error:  # a test closed descriptors that are not its own, and with that its stdin too
            process.wait()
            finished, words = False, f"it cannot be heard: {error.strerror}"
        if finished:
            return ""
        how = words.splitlines()[-1] if words else f"exit status {process.returncode}"
        if self._settled.is_set():
            self._add(Sampled(self._count_rows(size_before), warnings=(f"the sampler died ({how})",)))
        return how

    def _take_in(self, process: subprocess.Popen[bytes], ready: Callable[[], None]) -> tuple[bool, str]:
        """Everything that it says up to its end: whether it was done, and what it complained of."""
        finished = False
        with process:
            assert process.stdout is not None  # noqa: S101 - for the type checker
            for line in process.stdout:
                word, *warnings = line.decode(errors="replace").rstrip("\n").split("\t")
                if word == "ready":
                    self._settled.set()
                    ready()
                    if self._stopping:
                        _dismiss(process)
                elif word.startswith("slept "):
                    at, slept_s = map(float, word.split()[1:])
                    self._tell(Gap(at, at, f"suspended for {slept_s:.1f} s", "machine"))
                elif word.startswith("frozen "):
                    began, ended = map(float, word.split()[1:])
                    self._tell(Gap(began, ended, f"frozen or stopped for {ended - began:.1f} s"))
                elif word.startswith("done "):
                    finished = True
                    rows, missed, dropped = map(int, word.split()[1:])
                    self._add(Sampled(rows, missed, dropped, tuple(warnings)))
            return finished, process.stderr.read().decode(errors="replace").strip() if process.stderr else ""

    def _add(self, sampled: Sampled) -> None:
        self.sampled = self.sampled.and_then(sampled)

    def _count_rows(self, begin: int) -> int:
        """Complete rows in the file from that byte on."""
        try:
            with open(self._path, "rb") as file:
                file.seek(begin)
                lines = sum(part.count(b"\n") for part in iter(lambda: file.read(1 << 20), b""))
        except OSError:
            return 0
        return lines if begin else max(0, lines - 1)  # without the header


def say(process: subprocess.Popen[bytes], word: bytes) -> None:
    """Say a word to a sampling process, which may be gone."""
    assert process.stdin is not None  # noqa: S101 - for the type checker
    try:
        os.write(process.stdin.fileno(), word)  # past the buffer, which would be written once more when it is closed
    except (OSError, ValueError):  # it died already, which whoever listens to it will hear
        pass


def _dismiss(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None  # noqa: S101 - for the type checker
    say(process, STOP)
    try:
        process.stdin.close()
    except OSError:  # a test closed it already
        pass
