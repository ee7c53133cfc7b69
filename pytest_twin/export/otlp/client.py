"""Start the process that exports a run, and wait for it no longer than allowed."""

from __future__ import annotations

from pathlib import Path
from typing import IO, Any

from pytest_twin._system import child_process
from pytest_twin._system.child_process import AccountedPopen, ProcessContext
from pytest_twin._system.clock import monotonic
from pytest_twin._system.interruptible_event import run_in_background
from pytest_twin._system.stdlib import json, os, signal, subprocess, sys
from pytest_twin.export.otlp.config import OtlpConfig

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "main.py")
STARTER_END_S = 5.0
END_S = 0.2  # for the end of a process that has no more to do


class OtlpProcess:
    """The process that exports one run.

    Attributes:
        pid: Its id; None before it has told it.
    """

    def __init__(self, config: OtlpConfig, context: ProcessContext) -> None:
        """Start it; it imports what it needs, and waits.

        Args:
            config: What to export, and where to.
            context: The context of the run.

        Raises:
            OSError: It cannot be started.
            RuntimeError: The system has no more threads.
        """
        self._config = config
        self.pid: int | None = None
        self._messages: list[dict[str, Any]] = []
        self._limit_s: float | None = None
        self._began = 0.0
        command = ["-I", PROGRAM, json.dumps(context.path)]
        self._starter: AccountedPopen = child_process.start(command, context, stderr=subprocess.DEVNULL)
        self._over = run_in_background(self._listen)

    def export(
        self, folder: Path, limit_s: float | None = None, *, host: str = "", most_points: int | None = None
    ) -> None:  # fmt: skip
        """Let it export.

        Args:
            folder: The run.
            limit_s: The seconds that it may take; None is no limit, as long as it gets on.
            host: The name of the host of pytest; empty if it is unknown.
            most_points: The highest number of points of a series of metrics; None is no limit.
        """
        order = {"folder": str(folder), "config": self._config.to_json(), "limit_s": limit_s, "host": host,
                 "most_points": most_points}  # fmt: skip
        self._began, self._limit_s = monotonic(), limit_s
        stdin: IO[bytes] | None = self._starter.stdin
        assert stdin is not None  # noqa: S101 - for the type checker
        try:
            stdin.write(json.dumps(order).encode() + b"\n")
            stdin.flush()
        except (OSError, ValueError):  # it has ended; the result will say so
            pass

    def wait(self, within_s: float) -> dict[str, Any]:
        """Wait for its end, and return its result; a process that does not end is killed.

        Args:
            within_s: The seconds, since `export` if there is a limit, else since its last message.
        """
        try:
            seen, last = 0, self._began
            while not self._over.is_set() and (left_s := last + within_s - monotonic()) > 0:
                self._over.wait(min(left_s, 1.0))
                if self._limit_s is None and len(self._messages) > seen:
                    seen, last = len(self._messages), monotonic()
            is_late = not self._over.is_set()
        finally:
            self.stop()
        found = dict(self._messages[-1]) if self._messages else {}
        if not found.pop("is_last", False) and not found.get("problem"):
            found["problem"] = f"it took longer than {within_s:g} s" if is_late else "the process ended early"
        return found

    def stop(self) -> None:
        """End the process."""
        try:
            if self._starter.stdin is not None:
                self._starter.stdin.close()  # it ends with that
        except OSError:
            pass
        if not self._over.wait(END_S):
            self._kill()
            self._over.wait(END_S)
        child_process.end(self._starter, END_S)

    def _kill(self) -> None:
        self._starter.kill()
        if self.pid is not None and sys.platform != "win32":
            try:
                os.kill(self.pid, signal.SIGKILL)
            except OSError:  # it has just ended
                pass

    def _listen(self) -> None:
        stdout: IO[bytes] | None = self._starter.stdout
        assert stdout is not None  # noqa: S101 - for the type checker
        with stdout:
            for line in stdout:
                try:
                    message = json.loads(line)
                except ValueError:  # it was killed as it wrote
                    return
                if "pid" in message:
                    self.pid = message["pid"]
                    if sys.platform != "win32":  # what was started has ended, and would stay among the children
                        child_process.end(self._starter, STARTER_END_S)
                else:
                    self._messages.append(message)
