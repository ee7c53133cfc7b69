"""Start the process that exports a run to Prometheus, tell it when the run begins, and stop it.

This code runs beside tests, which may replace names of the standard library, so it binds what it needs at import.
"""

from __future__ import annotations

from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_twin._system import child_process
from pytest_twin._system.child_process import ProcessContext
from pytest_twin._system.interruptible_event import InterruptSafeEvent, run_in_background
from pytest_twin._system.stderr_file import StderrFile
from pytest_twin._system.stdlib import json, os, signal, sys
from pytest_twin.export.prometheus.exporter_process import END, EPOCH, ERROR, FOLDER, PID, PROBLEMS, READY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_twin.export.prometheus.config import PrometheusConfig

READY_WITHIN_S = 30.0  # it imports a library, on a machine that may be busy
END_WITHIN_S = 2.0  # whatever happens to the other side costs a run no more
PROGRAM = str(Path(__file__).with_name("exporter_main.py"))
NEEDED = "prometheus_client"


class ExporterError(Exception):
    """The run cannot be exported; the message is for the user."""


class Exporter:
    """The process that exports a run to Prometheus.

    Attributes:
        places: Where the metrics are, for people.
        pid: Its process id; None before it is ready.
    """

    def __init__(self, config: PrometheusConfig) -> None:
        """Start the process, and wait until it has opened its ways.

        Raises:
            ExporterError: A way cannot be opened, or prometheus_client is not installed.
        """
        if find_spec(NEEDED) is None:
            raise ExporterError("needs prometheus-client; pip install 'pytest-twin[export]'")
        self.places: list[str] = []
        self.pid: int | None = None
        self._problems: list[str] = []
        self._error, self._is_stopped, self._has_ended = "", False, False
        self._ready = InterruptSafeEvent()
        context, self._stderr = ProcessContext.now(), StderrFile()
        command = ["-I", PROGRAM, json.dumps(context.path), str(os.getpid())]
        try:
            self._process = child_process.start(command, context, stderr=self._stderr.stderr, start_new_session=True)
            assert self._process.stdin is not None  # noqa: S101 - for the type checker
            self._stdin = self._process.stdin
            self._over = run_in_background(self._listen)
            self._write(config.to_json().encode() + b"\n")
        except (OSError, RuntimeError) as error:
            raise ExporterError(f"cannot be started: {error}") from None
        is_settled = self._ready.wait(READY_WITHIN_S)
        if self.pid is None:
            why = self._error if is_settled else f"was not ready within {READY_WITHIN_S:g} s"
            problems = self.stop()
            raise ExporterError(why or problems[0])
        if sys.platform != "win32":  # what was started has ended: the exporter is no child of this process
            child_process.end(self._process, END_WITHIN_S)

    def begin(self, folder: Path, epoch: float) -> None:
        """Let it export a run.

        Args:
            folder: The run folder.
            epoch: Start of the run, in seconds since 1970.
        """
        message = {FOLDER: str(folder.absolute()), EPOCH: epoch}
        self._write(json.dumps(message).encode() + b"\n")

    def stop(self) -> list[str]:
        """Let it end, kill it if it does not, and return a line for each problem; the second time none."""
        if self._is_stopped:
            return []
        self._is_stopped = True
        self._write(END)
        is_over = self._over.wait(END_WITHIN_S)
        if not is_over:
            self._kill()
            self._over.wait(END_WITHIN_S)
            self._problems.append(f"the exporter did not end within {END_WITHIN_S:g} s")
        child_process.end(self._process, END_WITHIN_S)
        with suppress(OSError):  # there is a rest that it did not read
            self._stdin.close()
        why = self._stderr.take()
        if is_over and not self._has_ended and not self._error:
            self._problems.append(f"the exporter has ended before the run: {why or 'it was killed'}")
        return self._problems

    def _write(self, data: bytes) -> None:
        try:
            self._stdin.write(data)
            self._stdin.flush()
        except (OSError, ValueError):  # it has ended, which its messages will tell
            pass

    def _kill(self) -> None:
        self._process.kill()
        if sys.platform != "win32" and self.pid is not None:
            try:
                os.kill(self.pid, signal.SIGKILL)
            except OSError:  # it has just ended
                pass

    def _listen(self) -> None:
        """Handle its messages until it has ended."""
        assert self._process.stdout is not None  # noqa: S101 - for the type checker
        with self._process.stdout as lines:
            for line in lines:
                self._handle(json.loads(line))
        self._ready.set()

    def _handle(self, message: Mapping[str, Any]) -> None:
        if READY in message:
            self.places, self.pid = message[READY], message[PID]
            self._ready.set()
        elif ERROR in message:
            self._error = message[ERROR]
            self._ready.set()
        if PROBLEMS in message:
            self._problems += message[PROBLEMS]
            self._has_ended = True
