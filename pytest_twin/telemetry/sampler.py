"""Start the sampling process, handle its messages, and stop it.

It is a process of its own (`sampler_process`), since a thread in a busy test process samples late. This code runs
beside tests, which may replace names of the standard library, so it binds what it needs at import.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pytest_twin._system import child_process
from pytest_twin._system.child_process import ProcessContext
from pytest_twin._system.clock import monotonic
from pytest_twin._system.interruptible_event import InterruptSafeEvent, run_in_background
from pytest_twin._system.response_timeout import GIVE_UP_AFTER_S, HURRY_S, STEP_S, ResponseTimeout, say_on_stderr
from pytest_twin._system.stderr_file import StderrFile
from pytest_twin._system.stdlib import os, sys

if TYPE_CHECKING:
    from pytest_twin.telemetry.sampler_config import SamplerConfig

READY_WITHIN_S = 10.0
END_WITHIN_S = 5.0  # after its last message
GO = STOP = b"\n"
ON_LINUX = sys.platform == "linux"


class SamplerError(RuntimeError):
    """The sampler cannot be started; the message has the reason."""


class SamplerStats:
    """Statistics of a sampler.

    Attributes:
        rows: Number of rows written.
        missed: Number of rows that were skipped because the sampler was late.
        dropped: Number of rows that could not be written.
        warnings: What could not be read or written, a line each.
    """

    __slots__ = ("dropped", "missed", "rows", "warnings")

    def __init__(self, rows: int = 0, missed: int = 0, dropped: int = 0, warnings: tuple[str, ...] = ()) -> None:
        self.rows, self.missed, self.dropped, self.warnings = rows, missed, dropped, warnings

    def plus(self, later: SamplerStats) -> SamplerStats:
        """Return the sums, and the warnings of both without duplicates."""
        warnings = dict.fromkeys((*self.warnings, *later.warnings))
        return SamplerStats(
            self.rows + later.rows, self.missed + later.missed, self.dropped + later.dropped, tuple(warnings)
        )


class SamplingGap:
    """A time without samples.

    Attributes:
        began: `time.monotonic` when the sampler was found dead, or the machine awake.
        ended: `time.monotonic` when the next sampler was ready; None if there is none.
        reason: How the sampler died, or how long the machine was suspended.
        what: What was interrupted, ``sampler`` or ``machine``.
    """

    __slots__ = ("began", "ended", "reason", "what")

    def __init__(self, began: float, ended: float | None, reason: str, what: str = "sampler") -> None:
        self.began, self.ended, self.reason, self.what = began, ended, reason, what


class SamplerClient:
    """Starts the sampling process, restarts it once if it dies, and stops it.

    Attributes:
        stats: The statistics that its processes have reported so far.
    """

    def __init__(
        self,
        config: SamplerConfig,
        program: str,
        *,
        on_gap: Callable[[SamplingGap], None] = lambda _: None,
        context: ProcessContext | None = None,
        tell: Callable[[str], None] = say_on_stderr,
    ) -> None:
        """Create the client; `launch` or `start` starts the process.

        Args:
            config: What to sample, and where to write it; a header is written where the file is new.
            program: Path of the Python program to run, which calls `pytest_twin.telemetry.sampler_process.main`.
            on_gap: Called from the listening thread when the sampling process died, or the machine had been suspended.
            context: The process context of the run, in which the process is started; None is the current one.
            tell: Writes a line for the user, possibly while a test runs.
        """
        self._context = context or ProcessContext()
        flags = ["-I"]
        if ON_LINUX and not config.probes:
            flags.append("-S")  # our probes need no site packages there
        else:
            config = config.replace(import_paths=(*config.import_paths, *self._context.path))
        self._command = [*flags, program, config.replace(parent_pid=os.getpid()).to_json()]
        self._path = config.path
        self._on_gap, self._tell = on_gap, tell
        self._process: child_process.AccountedPopen | None = None
        self._stderr: StderrFile | None = None
        self._over: InterruptSafeEvent | None = None  # set when the listening thread ends; None before it begins
        self._messages = 0
        self._given_up = ""
        self._give_up_after_s = GIVE_UP_AFTER_S
        self._stopping = False
        self._settled = InterruptSafeEvent()  # set when it is ready, or has failed
        self._failure = ""
        self.stats = SamplerStats()

    def launch(self) -> None:
        """Start the process, unless it runs, without waiting for it; it opens no file before `begin`.

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
        """Let it open its file and sample, and start the thread that handles its messages.

        Raises:
            SamplerError: The thread cannot be started.
        """
        assert self._process is not None  # noqa: S101 - for the type checker
        process = self._process
        try:
            self._over = run_in_background(lambda: self._listen(process))
        except RuntimeError as error:
            raise SamplerError(f"the sampler cannot be started: {error}") from None
        send(process, GO)

    def wait_ready(self) -> None:
        """Wait until the first interval has begun.

        Raises:
            SamplerError: It did not start; it is stopped then.
        """
        if not self._settled.wait(READY_WITHIN_S):
            self._failure = f"it was not ready within {READY_WITHIN_S:g} s"
        if self._failure:
            self.hurry()
            self.stop()
            raise SamplerError(f"the sampler did not start: {self._failure}")

    def start(self) -> None:
        """Start it and wait until the first interval has begun.

        Raises:
            SamplerError: It did not start.
        """
        self.launch()
        self.begin()
        self.wait_ready()

    @property
    def pid(self) -> int | None:
        """The id of its process; None while there is none."""
        return self._process.pid if self._process else None

    def hurry(self) -> None:
        """Shorten the time for which answers are waited for, because the run was interrupted."""
        self._give_up_after_s = HURRY_S

    def stop(self) -> None:
        """Let it take a last row, if it samples, and wait for its end; `stats` is complete then."""
        if self._over is not None:
            self._end(self._over)
        elif self._process is not None:
            self._close(self._process, 0)
            self._process = None

    def _end(self, over: InterruptSafeEvent) -> None:
        self._stopping = True
        if self._process is not None:
            _request_stop(self._process)
        timeout = ResponseTimeout("the sampler", lambda: self._messages, self._tell)
        while not over.wait(STEP_S):
            if not timeout.lasts(STEP_S, self._give_up_after_s):
                self._given_up = timeout.reason
                if self._process is not None:  # by now it may be another process
                    self._process.kill()
                if not over.wait(END_WITHIN_S):
                    self._add(SamplerStats(warnings=(f"the sampler {self._given_up}",)))
                break
        self._process = self._over = None

    def _spawn(self) -> child_process.AccountedPopen:
        self._stderr = stderr = StderrFile()
        return child_process.start(self._command, self._context, stderr=stderr.stderr, start_new_session=True)

    def _listen(self, process: child_process.AccountedPopen) -> None:
        """Handle its messages until it ends; start another process if it died."""
        try:
            self._listen_to(process)
        except Exception as error:  # noqa: BLE001 - nothing else would report it
            self._failure = self._failure or repr(error)
            self._add(SamplerStats(warnings=(f"messages of the sampler are no longer read: {error!r}",)))
        finally:
            self._settled.set()

    def _listen_to(self, process: child_process.AccountedPopen) -> None:
        reason = self._handle_messages(process)
        if not self._settled.is_set():
            self._failure = reason
            self._settled.set()
        if self._stopping or not reason or self._failure:
            return
        began = monotonic()
        try:
            self._process = second = self._spawn()
        except Exception as error:  # noqa: BLE001 - a test may have replaced what starts processes
            problem = getattr(error, "strerror", None) or error
            self._on_gap(SamplingGap(began, None, f"{reason}, and could not be restarted: {problem}"))
            return
        send(second, GO)
        second_reason = self._handle_messages(second, lambda: self._on_gap(SamplingGap(began, monotonic(), reason)))
        if second_reason and not self._stopping:
            self._on_gap(SamplingGap(monotonic(), None, f"{second_reason} again"))

    def _handle_messages(self, process: child_process.AccountedPopen, ready: Callable[[], None] = lambda: None) -> str:
        """Handle its messages until its end; return how it died, empty if it ended regularly."""
        size_before = _size(self._path)
        problem = ""
        try:
            finished = self._read_messages(process, ready)
        except OSError as error:  # a test closed descriptors of ours, and with them its stdin
            finished, problem = False, f"its output cannot be read: {error.strerror}"
        finally:
            how = self._close(process, END_WITHIN_S)
        if finished:
            return ""
        how = problem or how
        if self._settled.is_set():
            died = f"the sampler {self._given_up}" if self._given_up else f"the sampler died ({how})"
            self._add(SamplerStats(self._count_rows(size_before), warnings=(died,)))
        return how

    def _read_messages(self, process: child_process.AccountedPopen, ready: Callable[[], None]) -> bool:
        """Handle its messages until its end; return whether it finished its work."""
        finished = False
        assert process.stdout is not None  # noqa: S101 - for the type checker
        for line in process.stdout:
            self._messages += 1
            word, *warnings = line.decode(errors="replace").rstrip("\n").split("\t")
            if word == "ready":
                self._settled.set()
                ready()
                if self._stopping:
                    _request_stop(process)
            elif word.startswith("slept "):
                at, slept_s = map(float, word.split()[1:])
                self._on_gap(SamplingGap(at, at, f"suspended for {slept_s:.1f} s", "machine"))
            elif word.startswith("frozen "):
                began, ended = map(float, word.split()[1:])
                self._on_gap(SamplingGap(began, ended, f"frozen or stopped for {ended - began:.1f} s"))
            elif word.startswith("done "):
                finished = True
                rows, missed, dropped = map(int, word.split()[1:])
                self._add(SamplerStats(rows, missed, dropped, tuple(warnings)))
        return finished

    def _close(self, process: child_process.AccountedPopen, timeout_s: float) -> str:
        """Close its pipes and wait for its end; return its last line on stderr, or its exit status."""
        for pipe in (process.stdin, process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:  # a test closed it already
                pass
        status = child_process.end(process, timeout_s)
        last_line = self._stderr.take() if self._stderr is not None else ""
        return last_line or f"exit status {status}"

    def _add(self, stats: SamplerStats) -> None:
        self.stats = self.stats.plus(stats)

    def _count_rows(self, start: int) -> int:
        """Return the number of complete rows in the file from this byte on."""
        try:
            with open(self._path, "rb") as file:
                file.seek(start)
                lines = sum(part.count(b"\n") for part in iter(lambda: file.read(1 << 20), b""))
        except OSError:
            return 0
        return lines if start else max(0, lines - 1)  # without the header


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def send(process: child_process.AccountedPopen, message: bytes) -> None:
    """Send a message to a sampling process, which may be dead."""
    assert process.stdin is not None  # noqa: S101 - for the type checker
    try:
        os.write(process.stdin.fileno(), message)  # unbuffered: closing would write a buffer once more
    except (OSError, ValueError):  # it died already, which the listening thread notices
        pass


def _request_stop(process: child_process.AccountedPopen) -> None:
    assert process.stdin is not None  # noqa: S101 - for the type checker
    send(process, STOP)
    try:
        process.stdin.close()
    except OSError:  # a test closed it already
        pass
