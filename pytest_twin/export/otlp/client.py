"""Start the process that exports a run, and wait for it no longer than allowed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pytest_twin._system.child_process import ProcessContext
from pytest_twin._system.clock import monotonic
from pytest_twin._system.stdlib import json, os, subprocess
from pytest_twin.export._detached_process import DetachedProcess
from pytest_twin.export.otlp.config import OtlpConfig

PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "main.py")
END_S = 0.2  # for the end of a process that has no more to do


class OtlpProcess:
    """The process that exports one run."""

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
        self._messages: list[dict[str, Any]] = []
        self._limit_s: float | None = None
        self._began = 0.0
        self._process = DetachedProcess(PROGRAM, [], context, self._messages.append, stderr=subprocess.DEVNULL)

    @property
    def pid(self) -> int | None:
        """Its process id; None before it has told it."""
        return self._process.pid

    def wait_detached(self, seconds: float) -> None:
        """Wait until it is no child of this process any more."""
        self._process.wait_detached(seconds)

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
        self._process.write_line(json.dumps(order))

    def wait(self, within_s: float) -> dict[str, Any]:
        """Wait for its end, and return its result; a process that does not end is killed.

        Args:
            within_s: The seconds, since `export` if there is a limit, else since its last message.
        """
        try:
            seen, last = 0, self._began
            while not self._process.wait(0) and (left_s := last + within_s - monotonic()) > 0:
                self._process.wait(min(left_s, 1.0))
                if self._limit_s is None and len(self._messages) > seen:
                    seen, last = len(self._messages), monotonic()
            is_late = not self._process.wait(0)
        finally:
            self.stop()
        found = dict(self._messages[-1]) if self._messages else {}
        if not found.pop("is_last", False) and not found.get("problem"):
            found["problem"] = f"it took longer than {within_s:g} s" if is_late else "the process ended early"
        return found

    def stop(self) -> None:
        """End the process."""
        self._process.close_stdin()  # it ends with that
        self._process.end(END_S)
