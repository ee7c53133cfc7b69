"""Our end of the supervisor: started before the first test that may need it, told what to apply, and listened to.

It is used while a test runs, which replaces what it likes of the standard library: what is needed of that is bound at
import. Nobody waits for the supervisor without an end: one that does not answer is killed, and its loads are aborted.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from pytest_twin import stressors
from pytest_twin._system import child_process
from pytest_twin._system.child_process import ProcessContext
from pytest_twin._system.clock import monotonic
from pytest_twin._system.interruptible_event import InterruptSafeEvent, run_in_background
from pytest_twin._system.response_timeout import GIVE_UP_AFTER_S, HURRY_S, STEP_S, ResponseTimeout, say_on_stderr
from pytest_twin._system.stderr_file import StderrFile
from pytest_twin._system.stdlib import json, os, sys, threading
from pytest_twin.loads.applied import ANSWER_WITHIN_S, AppliedLoad

if TYPE_CHECKING:
    from pytest_twin.loads.spec import LoadPart
    from pytest_twin.stressors.spec.request import LoadRequest

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(stressors.__file__)), "__main__.py")
START_WITHIN_S = 10.0
END_WITHIN_S = 10.0
CHANGE_WITHIN_S = 2 * START_WITHIN_S
LONGEST_WRITE = 1 << 20  # at once; a replayed recording can be longer

Told = Callable[[AppliedLoad, dict[str, Any]], None]
Paused = Callable[[dict[str, Any]], None]

if sys.platform == "win32":
    GROUP = None

    def let_not_block(_: int) -> None:
        """Pipes have no such mode."""

    def wait_to_write(_fd: int, _seconds: float) -> None:
        """Nobody is told to."""
else:
    from pytest_twin._system.stdlib import select

    GROUP = 0

    def let_not_block(fd: int) -> None:
        """Let who writes to a pipe not wait for who reads it."""
        os.set_blocking(fd, False)

    def wait_to_write(fd: int, seconds: float) -> None:
        """Wait until something can be written, that long at most."""
        poll = select.poll()
        poll.register(fd, select.POLLOUT)
        poll.poll(1000 * seconds)


class SupervisorClient:
    """The one small process that owns all stressors of this process; a thread listens to it.

    One that died takes its loads along, and the next load gets another one.

    Attributes:
        paused_s: Seconds in which the loads were paused so far.
    """

    def __init__(
        self, told: Told, paused: Paused, *, samples: str = "", limit: Sequence[LoadPart] = (),
        owner: int | None = None, surroundings: ProcessContext | None = None, directory: str = "",
        tell: Callable[[str], None] = say_on_stderr,
    ) -> None:  # fmt: skip
        """Prepare it.

        Args:
            told: Called from the listening thread with every reply on a load.
            paused: Called, from there too, when all loads are paused, and when they go on or have ended.
            samples: The dataset that conditions on samples are about.
            limit: The most that may be applied at the same time.
            owner: A process besides this one without which no load may go on.
            surroundings: Those of the run, in which it is started; None are those of now.
            directory: The directory that disk stressors write in, unless the load names one.
            tell: Tells the user a line, while a test may be running.
        """
        self._owner = owner
        self._told, self._paused, self._tell = told, paused, tell
        self._samples, self._limit, self._directory = samples, limit, directory
        self._surroundings = surroundings or ProcessContext.now()
        self.paused_s = 0.0
        self._paused_at: float | None = None
        self._forbidden = ""
        self._give_up_after_s = GIVE_UP_AFTER_S
        self._resumed = InterruptSafeEvent()
        self._process: child_process.AccountedPopen | None = None
        self._over = InterruptSafeEvent()  # set when nobody listens to that process any more, and all is told of it
        self._over.set()
        self._replies = 0
        self._given_up = ""
        self._has_complained = False
        self._applied: dict[str, AppliedLoad] = {}
        self._lock = threading.Lock()  # of its stdin
        self._changing = threading.RLock()  # held by who starts it or asks of it, and by who finds it dead
        self._listens = InterruptSafeEvent()  # or has ended

    def apply(self, part: LoadPart, request: LoadRequest, *, test: str = "", note: str = "") -> AppliedLoad:
        """Ask for one kind of load.

        Args:
            part: What to apply.
            request: The request for it, with its id.
            test: The test it belongs to.
            note: Free text for its rows.
        """
        applied = AppliedLoad(self, request.id, part, test, note)
        message = request.to_json()
        message["options"] = {"directory": self._directory, **request.options}
        self._drain_dead_process()
        with self._changing:
            try:
                self._start()
            except Exception as error:  # noqa: BLE001 - a test may have replaced what starts processes
                self._hand_on(applied, applied.abort_reply(f"the supervisor cannot be started: {error}"))
                return applied
            self._applied[request.id] = applied
        self.send({"op": "apply", **message})
        return applied

    def now(self) -> float:
        """The time of loads: `time.monotonic`, less the time in which they were paused."""
        return (self._paused_at or monotonic()) - self.paused_s

    def pause(self, reason: str) -> None:
        """Let all loads rest, and their time stand still."""
        if self._process is None:
            self._paused({"event": "paused", "at": monotonic(), "reason": reason})
        self.send({"op": "pause", "reason": reason})

    def resume(self, reason: str) -> None:
        """Let them go on."""
        if self._process is None:
            self._paused({"event": "resumed", "at": monotonic()})
            return
        self._resumed.clear()
        self.send({"op": "resume", "reason": reason})
        self._resumed.wait(ANSWER_WITHIN_S)  # the time of loads is right from here on

    @property
    def pid(self) -> int | None:
        """Its process id, None while there is no such process."""
        return self._process.pid if self._process else None

    @property
    def running(self) -> list[AppliedLoad]:
        """Loads that are applied or wait for their time."""
        return list(self._applied.values())

    def send(self, message: dict[str, Any]) -> None:
        """Write one line to it; one that is gone hears nothing, and the listening thread says so."""
        process = self._process
        if process is None or process.stdin is None:
            return
        line = json.dumps(message).encode() + b"\n"
        try:
            with self._lock:
                self._write(process, line)
        except (OSError, ValueError):
            pass

    def wait(self, latch: InterruptSafeEvent) -> None:
        """Wait for what it tells; it is asked whether it is there meanwhile, and given up if it does not answer."""
        silence = self._silence()
        while not latch.wait(STEP_S):
            if not silence.lasts(STEP_S, self._give_up_after_s):
                self._give_up(self._process, self._over, silence)
                return
            self.send({"op": "achieved", "id": ""})  # of no load: all that counts is that it answers

    def hurry(self) -> None:
        """From now on give it up soon if it does not answer: the run was interrupted, and its end is waited for."""
        self._give_up_after_s = HURRY_S

    def close(self) -> None:
        """Take everything down; comes back when nothing is left."""
        process, self._process = self._process, None
        if process is None:
            self._over.wait(END_WITHIN_S)
            return
        self._close_stdin(process)
        silence = self._silence()
        while not self._over.wait(STEP_S):
            if not silence.lasts(STEP_S, min(END_WITHIN_S, self._give_up_after_s)):
                self._give_up(process, self._over, silence)
                return

    def start(self) -> None:
        """Start it, unless it is there; comes back when it listens.

        Raises:
            OSError: It cannot be started.
        """
        self._drain_dead_process()
        with self._changing:
            self._start()

    def disable(self, why: str) -> None:
        """Let it not be started any more.

        Args:
            why: Told of every load that is asked for from now on.
        """
        self._forbidden = why

    def _drain_dead_process(self) -> None:
        """Have everything told of one that died, before there is another."""
        process = self._process
        if process is not None and process.poll() is not None and not self._over.wait(END_WITHIN_S):
            self._finish(process, "it died")

    def _start(self) -> None:
        if self._process is not None:
            return
        if self._forbidden:
            raise OSError(self._forbidden)
        self._listens.clear()
        self.paused_s = 0.0
        self._given_up = ""
        self._lock = threading.Lock()  # an interrupted start may have left the last one taken
        words = StderrFile()
        try:
            process = self._spawn(words.stderr)
        except OSError as error:
            words.take()
            raise OSError(error.strerror or str(error)) from None
        try:
            self._over = run_in_background(lambda: self._listen(process, words))
            self._process = process  # not before: a process needs somebody who listens to it
            self._introduce()
        except RuntimeError as error:  # the system has no more threads
            process.kill()
            child_process.end(process, END_WITHIN_S)
            words.take()
            raise OSError(str(error)) from None
        except BaseException:  # such as Ctrl-C, or a time limit after which the run goes on: with another one
            process.kill()
            child_process.end(process, END_WITHIN_S)
            raise

    def _introduce(self) -> None:
        """Tell it what it is to know before the first load; comes back when it listens."""
        if self._owner is not None:
            self.send({"op": "owner", "pid": self._owner})
        self.send({"op": "path", "path": self._surroundings.path})
        self.send({"op": "samples", "path": self._samples})
        if self._limit:
            self.send(
                {"op": "limit", "requests": [{**part.request().to_json(), "text": str(part)} for part in self._limit]}
            )
        self._listens.wait(START_WITHIN_S)

    def _spawn(self, stderr: int) -> child_process.AccountedPopen:
        process = child_process.start(
            ["-I", "-S", PROGRAM],
            self._surroundings,
            stderr=stderr,
            bufsize=LONGEST_WRITE,
            # a group of its own, since Ctrl-C in the terminal is for the owner of the loads; but the same session: the
            # kernel shares the CPU out between sessions first (sched(7)), and a load in another hardly slows the test
            process_group=GROUP,
        )
        assert process.stdin is not None  # noqa: S101 - for the type checker
        let_not_block(process.stdin.fileno())  # a supervisor that is stopped reads nothing
        return process

    def _listen(self, process: child_process.AccountedPopen, words: StderrFile) -> None:
        """Take in what it says up to its end, or to ours: then its loads end too, and whoever waits for it goes on."""
        why = ""
        try:
            self._hear(process)
        except OSError:  # a test closed descriptors that are not its own
            pass
        except Exception as error:  # noqa: BLE001 - whatever it is, nobody else would tell of it
            why = f"its reply was not understood: {error!r}"
            process.kill()
        finally:
            self._close_stdin(process)
            status = child_process.end(process, END_WITHIN_S)
            said = words.take()
            self._finish(process, why or said or f"exit status {status}")

    def _finish(self, process: child_process.AccountedPopen | None, how: str) -> None:
        """Tell of all its loads that they are gone with it."""
        self._listens.set()
        is_alone = self._changing.acquire(timeout=CHANGE_WITHIN_S)  # with a limit: an interrupt may have left it taken
        try:
            if self._process is process:
                self._process = None
            left = [] if self._process else self.running  # those of the next one are told of by another thread
        finally:
            if is_alone:
                self._changing.release()
        reason = f"the supervisor {self._given_up}" if self._given_up else f"the supervisor died ({how})"
        for applied in left:
            if self._applied.pop(applied.id, None):
                self._hand_on(applied, applied.abort_reply(reason))
        self._paused_at = None
        self._say(self._paused, {"event": "resumed", "at": monotonic()})  # if loads were paused, they are so no more
        self._resumed.set()

    def _give_up(
        self, process: child_process.AccountedPopen | None, over: InterruptSafeEvent, silence: ResponseTimeout
    ) -> None:
        """End a process that does not answer; comes back when its loads are told to be gone."""
        self._given_up = silence.reason
        if process is not None:
            process.kill()
        if not over.wait(END_WITHIN_S):
            self._finish(process, "")

    def _silence(self) -> ResponseTimeout:
        return ResponseTimeout("the supervisor of the loads", lambda: self._replies, self._tell)

    def _hear(self, process: child_process.AccountedPopen) -> None:
        assert process.stdout is not None  # noqa: S101 - for the type checker
        with process.stdout:
            for line in process.stdout:
                if not line.endswith(b"\n"):  # it was killed while it wrote
                    break
                self._replies += 1
                reply = json.loads(line)
                self._listens.set()
                if reply["event"] in {"paused", "resumed"}:
                    self.paused_s = reply.get("paused_s", self.paused_s)
                    self._paused_at = reply["at"] if reply["event"] == "paused" else None
                    self._say(self._paused, reply)
                    self._resumed.set()
                self._hand_on(self._applied.get(reply.get("id", "")), reply)

    def _write(self, process: child_process.AccountedPopen, line: bytes) -> None:
        """Write a line to it, as far as it reads."""
        assert process.stdin is not None  # noqa: S101 - for the type checker
        try:
            for begin in range(0, len(line), LONGEST_WRITE):
                self._flush(process)  # what an interrupt has left
                process.stdin.write(line[begin : begin + LONGEST_WRITE])
                self._flush(process)
        except BaseException:
            if len(line) > LONGEST_WRITE:  # half a line cannot be taken back
                process.kill()
            raise

    def _flush(self, process: child_process.AccountedPopen) -> None:
        assert process.stdin is not None  # noqa: S101 - for the type checker
        silence = self._silence()
        while True:
            try:
                process.stdin.flush()
            except BlockingIOError:
                began = monotonic()
                wait_to_write(process.stdin.fileno(), STEP_S)
                if monotonic() - began >= STEP_S and not silence.lasts(STEP_S, self._give_up_after_s):
                    self._given_up = silence.reason
                    process.kill()  # whoever listens to it will hear
                    raise
            else:
                return

    def _close_stdin(self, process: child_process.AccountedPopen) -> None:
        assert process.stdin is not None  # noqa: S101 - for the type checker
        try:
            process.stdin.close()
        except OSError:
            pass

    def _hand_on(self, applied: AppliedLoad | None, reply: dict[str, Any]) -> None:
        if applied is None:
            return
        if reply["event"] != "achieved":
            # before anybody who waits goes on: the row is in the file then
            self._say(lambda reply: self._told(applied, reply), reply)
        applied.handle_reply(reply)
        if reply["event"] not in {"achieved", "ready"}:
            self._applied.pop(applied.id, None)

    def _say(self, to: Callable[[dict[str, Any]], None], reply: dict[str, Any]) -> None:
        """Pass on what it says; whatever goes wrong there costs a row, and nobody waits for ever for that."""
        try:
            to(reply)
        except Exception as error:  # noqa: BLE001
            if not self._has_complained:
                self._has_complained = True
                self._tell(f"the result of a load could not be written: {error!r}")
