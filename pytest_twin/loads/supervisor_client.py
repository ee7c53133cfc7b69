"""Start the supervisor, send it requests for loads, and handle its replies.

This code runs beside tests, which may replace names of the standard library, so it binds what it needs at import. No
wait is unlimited: a supervisor that does not answer is killed, and its loads are aborted.
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
LOCK_WITHIN_S = 2 * START_WITHIN_S
MAX_WRITE = 1 << 20  # bytes at once; the request for a replay can be longer

OnReply = Callable[[AppliedLoad, dict[str, Any]], None]
OnPause = Callable[[dict[str, Any]], None]

if sys.platform == "win32":
    GROUP = None

    def set_nonblocking(_: int) -> None:
        """Do nothing: pipes have no such mode on Windows."""

    def wait_writable(_fd: int, _seconds: float) -> None:
        """Do nothing: writes block on Windows."""
else:
    from pytest_twin._system.stdlib import select

    GROUP = 0

    def set_nonblocking(fd: int) -> None:
        """Make writes to a pipe non-blocking."""
        os.set_blocking(fd, False)

    def wait_writable(fd: int, seconds: float) -> None:
        """Wait until a pipe is writable, at most this long."""
        poll = select.poll()
        poll.register(fd, select.POLLOUT)
        poll.poll(1000 * seconds)


class SupervisorClient:
    """Client of the supervisor, the process that owns all stressors; a thread handles its replies.

    If the supervisor dies, its loads are aborted, and the next load starts another one.

    Attributes:
        paused_s: Seconds for which the loads were paused so far.
    """

    def __init__(
        self, on_reply: OnReply, on_pause: OnPause, *, samples: str = "", limit: Sequence[LoadPart] = (),
        owner: int | None = None, context: ProcessContext | None = None, directory: str = "",
        tell: Callable[[str], None] = say_on_stderr,
    ) -> None:  # fmt: skip
        """Create the client; `start` or the first load starts the process.

        Args:
            on_reply: Called from the listening thread with every reply on a load.
            on_pause: Called from the listening thread when all loads are paused, and when they resume or have ended.
            samples: The dataset with the samples that stop conditions are evaluated on.
            limit: The maximum total load.
            owner: Another process besides this one, at the end of which all loads end.
            context: The process context of the run, in which the supervisor is started; None is the current one.
            directory: The directory that disk stressors write in, unless the load names one.
            tell: Writes a line for the user, possibly while a test runs.
        """
        self._owner = owner
        self._on_reply, self._on_pause, self._tell = on_reply, on_pause, tell
        self._samples, self._limit, self._directory = samples, limit, directory
        self._context = context or ProcessContext()
        self.paused_s = 0.0
        self._paused_at: float | None = None
        self._disabled_reason = ""
        self._give_up_after_s = GIVE_UP_AFTER_S
        self._resumed = InterruptSafeEvent()
        self._process: child_process.AccountedPopen | None = None
        self._over = InterruptSafeEvent()  # set when the process has ended and its loads are aborted
        self._over.set()
        self._replies = 0
        self._given_up = ""
        self._has_warned = False
        self._applied: dict[str, AppliedLoad] = {}
        self._stdin_lock = threading.Lock()
        self._state_lock = threading.RLock()  # held to start the process, to add a load, and to handle its death
        self._listens = InterruptSafeEvent()  # set by the first reply, or at its end

    def apply(self, part: LoadPart, request: LoadRequest, *, test: str = "", note: str = "") -> AppliedLoad:
        """Apply one kind of load.

        Args:
            part: The load.
            request: The request for it, with its id.
            test: The test it belongs to.
            note: Free text for its rows.
        """
        applied = AppliedLoad(self, request.id, part, test, note)
        message = request.to_json()
        message["options"] = {"directory": self._directory, **request.options}
        self._drain_dead_process()
        with self._state_lock:
            try:
                self._start()
            except Exception as error:  # noqa: BLE001 - a test may have replaced what starts processes
                self._dispatch(applied, applied.abort_reply(f"the supervisor cannot be started: {error}"))
                return applied
            self._applied[request.id] = applied
        self.send({"op": "apply", **message})
        return applied

    def now(self) -> float:
        """Return the time of loads: `time.monotonic` less the time for which they were paused."""
        return (self._paused_at or monotonic()) - self.paused_s

    def pause(self, reason: str) -> None:
        """Pause all loads; the time of loads stands still."""
        if self._process is None:
            self._on_pause({"event": "paused", "at": monotonic(), "reason": reason})
        self.send({"op": "pause", "reason": reason})

    def resume(self, reason: str) -> None:
        """Resume all loads."""
        if self._process is None:
            self._on_pause({"event": "resumed", "at": monotonic()})
            return
        self._resumed.clear()
        self.send({"op": "resume", "reason": reason})
        self._resumed.wait(ANSWER_WITHIN_S)  # from here on the time of loads is right

    @property
    def pid(self) -> int | None:
        """The process id of the supervisor; None while there is none."""
        return self._process.pid if self._process else None

    @property
    def running(self) -> list[AppliedLoad]:
        """The loads that are applied or wait for their start."""
        return list(self._applied.values())

    def send(self, message: dict[str, Any]) -> None:
        """Send a message; if the supervisor is dead, nothing happens here, and the listening thread notices."""
        process = self._process
        if process is None or process.stdin is None:
            return
        line = json.dumps(message).encode() + b"\n"
        try:
            with self._stdin_lock:
                self._write(process, line)
        except (OSError, ValueError):
            pass

    def wait(self, reply: InterruptSafeEvent) -> None:
        """Wait for an event that a reply sets; a supervisor that does not answer queries meanwhile is given up."""
        timeout = self._new_timeout()
        while not reply.wait(STEP_S):
            if not timeout.lasts(STEP_S, self._give_up_after_s):
                self._give_up(self._process, self._over, timeout)
                return
            self.send({"op": "achieved", "id": ""})  # a query that it answers without a load

    def hurry(self) -> None:
        """Shorten the time for which answers are waited for, because the run was interrupted."""
        self._give_up_after_s = HURRY_S

    def close(self) -> None:
        """Stop all loads and the supervisor, and wait for their end."""
        process, self._process = self._process, None
        if process is None:
            self._over.wait(END_WITHIN_S)
            return
        self._close_stdin(process)
        timeout = self._new_timeout()
        while not self._over.wait(STEP_S):
            if not timeout.lasts(STEP_S, min(END_WITHIN_S, self._give_up_after_s)):
                self._give_up(process, self._over, timeout)
                return

    def start(self) -> None:
        """Start the supervisor, unless it runs, and wait until it answers.

        Raises:
            OSError: It cannot be started.
        """
        self._drain_dead_process()
        with self._state_lock:
            self._start()

    def disable(self, why: str) -> None:
        """Start no supervisor any more.

        Args:
            why: The reason, with which all further loads fail.
        """
        self._disabled_reason = why

    def _drain_dead_process(self) -> None:
        """Wait until the loads of a supervisor that died are aborted, before there is another one."""
        process = self._process
        if process is not None and process.poll() is not None and not self._over.wait(END_WITHIN_S):
            self._finish(process, "it died")

    def _start(self) -> None:
        if self._process is not None:
            return
        if self._disabled_reason:
            raise OSError(self._disabled_reason)
        self._listens.clear()
        self.paused_s = 0.0
        self._given_up = ""
        self._stdin_lock = threading.Lock()  # an interrupted start may have left the old one locked
        stderr = StderrFile()
        try:
            process = self._spawn(stderr.stderr)
        except OSError as error:
            stderr.take()
            raise OSError(error.strerror or str(error)) from None
        try:
            self._over = run_in_background(lambda: self._listen(process, stderr))
            self._process = process  # only now that a thread listens to it
            self._send_settings()
        except RuntimeError as error:  # the system has no more threads
            process.kill()
            child_process.end(process, END_WITHIN_S)
            stderr.take()
            raise OSError(str(error)) from None
        except BaseException:  # such as Ctrl-C, or a time limit after which the run continues with another one
            process.kill()
            child_process.end(process, END_WITHIN_S)
            raise

    def _send_settings(self) -> None:
        """Send what it needs before the first load, and wait until it answers."""
        if self._owner is not None:
            self.send({"op": "owner", "pid": self._owner})
        self.send({"op": "path", "path": self._context.path})
        self.send({"op": "samples", "path": self._samples})
        if self._limit:
            self.send(
                {"op": "limit", "requests": [{**part.request().to_json(), "text": str(part)} for part in self._limit]}
            )
        self._listens.wait(START_WITHIN_S)

    def _spawn(self, stderr: int) -> child_process.AccountedPopen:
        process = child_process.start(
            ["-I", "-S", PROGRAM],
            self._context,
            stderr=stderr,
            bufsize=MAX_WRITE,
            # a process group of its own, since Ctrl-C in the terminal is for the owner of the loads; but the same
            # session, since the kernel divides the CPU among sessions first (sched(7)): a load in another session
            # would hardly slow the test
            process_group=GROUP,
        )
        assert process.stdin is not None  # noqa: S101 - for the type checker
        set_nonblocking(process.stdin.fileno())  # a stopped supervisor does not read
        return process

    def _listen(self, process: child_process.AccountedPopen, stderr: StderrFile) -> None:
        """Handle its replies until its end or ours; then abort its loads, so that whoever waits for them continues."""
        why = ""
        try:
            self._handle_replies(process)
        except OSError:  # a test closed descriptors of ours
            pass
        except Exception as error:  # noqa: BLE001 - nothing else would report it
            why = f"its reply was not understood: {error!r}"
            process.kill()
        finally:
            self._close_stdin(process)
            status = child_process.end(process, END_WITHIN_S)
            last_line = stderr.take()
            self._finish(process, why or last_line or f"exit status {status}")

    def _finish(self, process: child_process.AccountedPopen | None, how: str) -> None:
        """Abort the loads of a process that has ended."""
        self._listens.set()
        is_locked = self._state_lock.acquire(timeout=LOCK_WITHIN_S)  # an interrupt may have left it locked
        try:
            if self._process is process:
                self._process = None
            left = [] if self._process else self.running  # another thread handles the loads of another process
        finally:
            if is_locked:
                self._state_lock.release()
        reason = f"the supervisor {self._given_up}" if self._given_up else f"the supervisor died ({how})"
        for applied in left:
            if self._applied.pop(applied.id, None):
                self._dispatch(applied, applied.abort_reply(reason))
        self._paused_at = None
        self._call(self._on_pause, {"event": "resumed", "at": monotonic()})  # paused loads are paused no more
        self._resumed.set()

    def _give_up(
        self, process: child_process.AccountedPopen | None, over: InterruptSafeEvent, timeout: ResponseTimeout
    ) -> None:
        """Kill a process that does not answer, and wait until its loads are aborted."""
        self._given_up = timeout.reason
        if process is not None:
            process.kill()
        if not over.wait(END_WITHIN_S):
            self._finish(process, "")

    def _new_timeout(self) -> ResponseTimeout:
        return ResponseTimeout("the supervisor of the loads", lambda: self._replies, self._tell)

    def _handle_replies(self, process: child_process.AccountedPopen) -> None:
        assert process.stdout is not None  # noqa: S101 - for the type checker
        with process.stdout:
            for line in process.stdout:
                if not line.endswith(b"\n"):  # it was killed while writing
                    break
                self._replies += 1
                reply = json.loads(line)
                self._listens.set()
                if reply["event"] in {"paused", "resumed"}:
                    self.paused_s = reply.get("paused_s", self.paused_s)
                    self._paused_at = reply["at"] if reply["event"] == "paused" else None
                    self._call(self._on_pause, reply)
                    self._resumed.set()
                self._dispatch(self._applied.get(reply.get("id", "")), reply)

    def _write(self, process: child_process.AccountedPopen, line: bytes) -> None:
        """Write a line to its stdin, waiting while the pipe is full."""
        assert process.stdin is not None  # noqa: S101 - for the type checker
        try:
            for begin in range(0, len(line), MAX_WRITE):
                self._flush(process)  # what an interrupted write has left
                process.stdin.write(line[begin : begin + MAX_WRITE])
                self._flush(process)
        except BaseException:
            if len(line) > MAX_WRITE:  # half a line cannot be taken back
                process.kill()
            raise

    def _flush(self, process: child_process.AccountedPopen) -> None:
        assert process.stdin is not None  # noqa: S101 - for the type checker
        timeout = self._new_timeout()
        while True:
            try:
                process.stdin.flush()
            except BlockingIOError:
                began = monotonic()
                wait_writable(process.stdin.fileno(), STEP_S)
                if monotonic() - began >= STEP_S and not timeout.lasts(STEP_S, self._give_up_after_s):
                    self._given_up = timeout.reason
                    process.kill()  # the listening thread notices
                    raise
            else:
                return

    def _close_stdin(self, process: child_process.AccountedPopen) -> None:
        assert process.stdin is not None  # noqa: S101 - for the type checker
        try:
            process.stdin.close()
        except OSError:
            pass

    def _dispatch(self, applied: AppliedLoad | None, reply: dict[str, Any]) -> None:
        if applied is None:
            return
        if reply["event"] != "achieved":
            # first, so that the row is in the file before whoever waits for the load continues
            self._call(lambda reply: self._on_reply(applied, reply), reply)
        applied.handle_reply(reply)
        if reply["event"] not in {"achieved", "ready"}:
            self._applied.pop(applied.id, None)

    def _call(self, callback: Callable[[dict[str, Any]], None], reply: dict[str, Any]) -> None:
        """Call back with a reply; an error costs a row of annotations.csv, but no load waits for ever because of it."""
        try:
            callback(reply)
        except Exception as error:  # noqa: BLE001
            if not self._has_warned:
                self._has_warned = True
                self._tell(f"the result of a load could not be written: {error!r}")
