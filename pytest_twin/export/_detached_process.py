"""Start a program of ours that exports a run, and end it.

It is started by this process, but is none of its children (`_detached_program`): what it uses is not the tests'. This
code runs beside tests, which may replace names of the standard library, so it binds what it needs at import.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from pytest_twin._system import child_process
from pytest_twin._system.child_process import AccountedPopen, ProcessContext
from pytest_twin._system.interruptible_event import InterruptSafeEvent, run_in_background
from pytest_twin._system.stdlib import json, os, signal, sys
from pytest_twin.export._detached_program import PID

STARTER_END_S = 5.0


class DetachedProcess:
    """A program that writes lines of JSON, one of them with its process id.

    Attributes:
        pid: Its process id; None before it has told it.
    """

    def __init__(
        self,
        program: str,
        arguments: Sequence[str],
        context: ProcessContext,
        handle: Callable[[dict[str, Any]], None],
        **options: Any,
    ) -> None:
        """Start it.

        Args:
            program: The path of the Python program; its first argument is the module search path as JSON.
            arguments: Its further arguments.
            context: The context of the run.
            handle: Called with each message from a thread in the background.
            options: Further arguments of `subprocess.Popen`.

        Raises:
            OSError: It cannot be started.
            RuntimeError: The system has no more threads.
        """
        self.pid: int | None = None
        self._handle = handle
        self._detached = InterruptSafeEvent()
        command = ["-I", program, json.dumps(context.path), *arguments]
        self._starter: AccountedPopen = child_process.start(command, context, **options)
        assert self._starter.stdin is not None  # noqa: S101 - for the type checker
        self._stdin = self._starter.stdin
        self._over = run_in_background(self._listen)

    def wait_detached(self, seconds: float) -> None:
        """Wait until it is no child of this process any more, which a busy machine delays."""
        self._detached.wait(seconds)

    def write_line(self, text: str) -> None:
        """Write a line to its stdin; if it has ended, its messages tell."""
        with suppress(OSError, ValueError):
            self._stdin.write(text.encode() + b"\n")
            self._stdin.flush()

    def close_stdin(self) -> None:
        """Close its stdin."""
        with suppress(OSError):  # there is a rest that it did not read
            self._stdin.close()

    def wait(self, seconds: float) -> bool:
        """Wait until it has ended, and return whether it has."""
        return self._over.wait(seconds)

    def end(self, within_s: float) -> bool:
        """Wait for its end, kill it if it does not end in time, and return whether that was not needed."""
        is_over = self._over.wait(within_s)
        if not is_over:
            self._kill()
            self._over.wait(within_s)
        child_process.end(self._starter, within_s)
        self.close_stdin()
        return is_over

    def _kill(self) -> None:
        self._starter.kill()
        if sys.platform != "win32" and self.pid is not None:
            try:
                os.kill(self.pid, signal.SIGKILL)
            except OSError:  # it has just ended
                pass

    def _listen(self) -> None:
        """Handle its messages until it has ended."""
        assert self._starter.stdout is not None  # noqa: S101 - for the type checker
        try:
            with self._starter.stdout as lines:
                for line in lines:
                    try:
                        message = json.loads(line)
                    except ValueError:  # it was killed as it wrote
                        return
                    self._take(message)
        finally:
            self._detached.set()

    def _take(self, message: dict[str, Any]) -> None:
        if PID in message:
            self.pid = message.pop(PID)
            if sys.platform != "win32":  # what was started has ended, and would stay among the children
                child_process.end(self._starter, STARTER_END_S)
            self._detached.set()
        if message:
            self._handle(message)
