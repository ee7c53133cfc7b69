"""Our end of the sampler: a process of its own (`sampling`), since a thread in a busy test process samples late.

It is listened to, and started once more if it dies, while tests run, which replace what they like of the standard
library: what is needed of that is bound at import.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

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
END_WITHIN_S = 5.0  # once it has said its last word
GO = STOP = b"\n"
ON_LINUX = sys.platform == "linux"


class SamplerError(RuntimeError):
    """The sampler cannot do its work; the message says why."""


class SamplerStats(NamedTuple):
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

    def and_then(self, later: SamplerStats) -> SamplerStats:
        """Both together."""
        warnings = dict.fromkeys((*self.warnings, *later.warnings))
        return SamplerStats(
            self.rows + later.rows, self.missed + later.missed, self.dropped + later.dropped, tuple(warnings)
        )


class SamplingGap(NamedTuple):
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


class SamplerClient:
    """Starts the sampling process, starts it once more if it dies, and stops it.

    Attributes:
        sampled: What it did, as far as it has told.
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
        """Prepare it.

        Args:
            config: What to sample, and where to write it; a header is written where the file is new.
            program: Path of the Python program to run, which calls `pytest_twin.telemetry.sampler_process.main`.
            on_gap: Called from the listening thread when the sampling process died, or the machine had been suspended.
            context: The process context of the run, in which the process is started; None is the current one.
            tell: Writes a line for the user, possibly while a test runs.
        """
        self._context = context or ProcessContext.now()
        flags = ["-I"]
        if ON_LINUX and not config.probes:
            flags.append("-S")  # our probes need no site packages there
        else:
            config = config.replace(import_paths=(*config.import_paths, *self._context.path))
        self._command = [*flags, program, config.replace(parent_pid=os.getpid()).to_json()]
        self._path = config.path
        self._told, self._tell = on_gap, tell
        self._process: child_process.AccountedPopen | None = None
        self._words: StderrFile | None = None
        self._over: InterruptSafeEvent | None = (
            None  # set when nobody listens to it any more; None before somebody does
        )
        self._heard = 0
        self._given_up = ""
        self._give_up_after_s = GIVE_UP_AFTER_S
        self._stopping = False
        self._settled = InterruptSafeEvent()  # ready, or known never to be
        self._failed = ""
        self.sampled = SamplerStats()

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
        process = self._process
        try:
            self._over = run_in_background(lambda: self._listen(process))
        except RuntimeError as error:
            raise SamplerError(f"the sampler cannot be started: {error}") from None
        send(process, GO)

    def wait_ready(self) -> None:
        """Come back when the first interval has begun.

        Raises:
            SamplerError: It did not come up.
        """
        if not self._settled.wait(READY_WITHIN_S):
            self._failed = f"it was not ready within {READY_WITHIN_S:g} s"
        if self._failed:
            self.hurry()
            self.stop()
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

    def hurry(self) -> None:
        """From now on end it soon if it does not answer: the run was interrupted, and its end is waited for."""
        self._give_up_after_s = HURRY_S

    def stop(self) -> None:
        """Have it take a last row and end, if it began to sample; what it did is in `sampled` then."""
        if self._over is not None:
            self._end(self._over)
        elif self._process is not None:
            self._close(self._process, 0)
            self._process = None

    def _end(self, over: InterruptSafeEvent) -> None:
        self._stopping = True
        if self._process is not None:
            _dismiss(self._process)
        silence = ResponseTimeout("the sampler", lambda: self._heard, self._tell)
        while not over.wait(STEP_S):
            if not silence.lasts(STEP_S, self._give_up_after_s):
                self._given_up = silence.reason
                if self._process is not None:  # which may be another one by now
                    self._process.kill()
                if not over.wait(END_WITHIN_S):
                    self._add(SamplerStats(warnings=(f"the sampler {self._given_up}",)))
                break
        self._process = self._over = None

    def _spawn(self) -> child_process.AccountedPopen:
        self._words = words = StderrFile()
        return child_process.start(self._command, self._context, stderr=words.stderr, start_new_session=True)

    def _listen(self, process: child_process.AccountedPopen) -> None:
        """Hear what it says until it ends; start another one if it should not have ended."""
        try:
            self._listen_to(process)
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody else would tell of it
            self._failed = self._failed or repr(error)
            self._add(SamplerStats(warnings=(f"the sampler is no longer listened to: {error!r}",)))
        finally:
            self._settled.set()

    def _listen_to(self, process: child_process.AccountedPopen) -> None:
        reason = self._hear(process)
        if not self._settled.is_set():
            self._failed = reason
            self._settled.set()
        if self._stopping or not reason or self._failed:
            return
        began = monotonic()
        try:
            self._process = second = self._spawn()
        except Exception as error:  # noqa: BLE001 - a test may have replaced what starts processes
            said = getattr(error, "strerror", None) or error
            self._told(SamplingGap(began, None, f"{reason}, and no other could be started: {said}"))
            return
        send(second, GO)
        heard = self._hear(second, lambda: self._told(SamplingGap(began, monotonic(), reason)))
        if heard and not self._stopping:
            self._told(SamplingGap(monotonic(), None, f"{heard} again"))

    def _hear(self, process: child_process.AccountedPopen, ready: Callable[[], None] = lambda: None) -> str:
        """Take in what it says; comes back at its end with how it died, empty if it ended well."""
        size_before = _size(self._path)
        words = ""
        try:
            finished = self._take_in(process, ready)
        except OSError as error:  # a test closed descriptors that are not its own, and with that its stdin too
            finished, words = False, f"its output cannot be read: {error.strerror}"
        finally:
            how = self._close(process, END_WITHIN_S)
        if finished:
            return ""
        how = words or how
        if self._settled.is_set():
            died = f"the sampler {self._given_up}" if self._given_up else f"the sampler died ({how})"
            self._add(SamplerStats(self._count_rows(size_before), warnings=(died,)))
        return how

    def _take_in(self, process: child_process.AccountedPopen, ready: Callable[[], None]) -> bool:
        """Everything that it says up to its end: whether it was done."""
        finished = False
        assert process.stdout is not None  # noqa: S101 - for the type checker
        for line in process.stdout:
            self._heard += 1
            word, *warnings = line.decode(errors="replace").rstrip("\n").split("\t")
            if word == "ready":
                self._settled.set()
                ready()
                if self._stopping:
                    _dismiss(process)
            elif word.startswith("slept "):
                at, slept_s = map(float, word.split()[1:])
                self._told(SamplingGap(at, at, f"suspended for {slept_s:.1f} s", "machine"))
            elif word.startswith("frozen "):
                began, ended = map(float, word.split()[1:])
                self._told(SamplingGap(began, ended, f"frozen or stopped for {ended - began:.1f} s"))
            elif word.startswith("done "):
                finished = True
                rows, missed, dropped = map(int, word.split()[1:])
                self._add(SamplerStats(rows, missed, dropped, tuple(warnings)))
        return finished

    def _close(self, process: child_process.AccountedPopen, within_s: float) -> str:
        """See to its end; comes back with how that came."""
        for pipe in (process.stdin, process.stdout):
            try:
                if pipe is not None:
                    pipe.close()
            except OSError:  # a test closed it already
                pass
        status = child_process.end(process, within_s)
        said = self._words.take() if self._words is not None else ""
        return said or f"exit status {status}"

    def _add(self, sampled: SamplerStats) -> None:
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


def _size(path: str) -> int:
    try:
        return os.stat(path).st_size
    except OSError:
        return 0


def send(process: child_process.AccountedPopen, word: bytes) -> None:
    """Say a word to a sampling process, which may be gone."""
    assert process.stdin is not None  # noqa: S101 - for the type checker
    try:
        os.write(process.stdin.fileno(), word)  # past the buffer, which would be written once more when it is closed
    except (OSError, ValueError):  # it died already, which whoever listens to it will hear
        pass


def _dismiss(process: child_process.AccountedPopen) -> None:
    assert process.stdin is not None  # noqa: S101 - for the type checker
    send(process, STOP)
    try:
        process.stdin.close()
    except OSError:  # a test closed it already
        pass
