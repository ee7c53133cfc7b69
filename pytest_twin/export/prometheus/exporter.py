"""Start the process that exports a run to Prometheus, tell it when the run begins, and stop it.

This code runs beside tests, which may replace names of the standard library, so it binds what it needs at import.
"""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_twin._system.child_process import ProcessContext
from pytest_twin._system.clock import monotonic
from pytest_twin._system.interruptible_event import InterruptSafeEvent
from pytest_twin._system.stderr_file import StderrFile
from pytest_twin._system.stdlib import json, os
from pytest_twin.export._detached_process import DetachedProcess
from pytest_twin.export.prometheus.exporter_process import COLLECTED, EPOCH, ERROR, FOLDER, PROBLEMS, READY, SETTING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_twin.export.prometheus.config import PrometheusConfig

STEP_S = 0.2  # between two looks whether it has ended without a word
READY_WITHIN_S = 30.0  # it imports a library, on a machine that may be busy
END_WITHIN_S = 2.0  # whatever happens to the other side costs a run no more
END = ""  # an empty line
PROGRAM = str(Path(__file__).with_name("exporter_main.py"))
NEEDED = "prometheus_client"


class ExporterError(Exception):
    """The run cannot be exported; the message is for the user.

    Attributes:
        setting: The setting that is wrong; empty if it is none.
    """

    def __init__(self, message: str, setting: str = "") -> None:
        super().__init__(message)
        self.setting = setting


class Exporter:
    """The process that exports a run to Prometheus.

    Attributes:
        places: Where the metrics are, for people.
    """

    def __init__(self, config: PrometheusConfig) -> None:
        """Start the process, and wait until it has opened its ways.

        Raises:
            ExporterError: A way cannot be opened, or prometheus_client is not installed.
        """
        if find_spec(NEEDED) is None:
            raise ExporterError("needs prometheus-client; pip install 'pytest-twin[export]'")
        self.places: list[str] = []
        self._problems: list[str] = []
        self._error, self._wrong_setting, self._is_stopped, self._has_ended = "", "", False, False
        self._ready = InterruptSafeEvent()
        context, self._stderr = ProcessContext(), StderrFile()
        try:
            self._process = DetachedProcess(
                PROGRAM, [str(os.getpid())], context, self._handle, stderr=self._stderr.stderr, start_new_session=True
            )
        except (OSError, RuntimeError) as error:
            raise ExporterError(f"cannot be started: {error}") from None
        self._process.write_line(config.to_json())
        self._wait_ready()

    def _wait_ready(self) -> None:
        deadline = monotonic() + READY_WITHIN_S
        while not self._ready.wait(STEP_S) and not self._process.wait(0) and monotonic() < deadline:
            pass
        if self.pid is None:
            is_settled = self._error or self._process.wait(0)
            why = self._error if is_settled else f"was not ready within {READY_WITHIN_S:g} s"
            problems = self.stop()
            raise ExporterError(why or problems[0], self._wrong_setting)

    @property
    def pid(self) -> int | None:
        """Its process id; None before it is ready."""
        return self._process.pid

    def begin(self, folder: Path, epoch: float) -> None:
        """Let it export a run.

        Args:
            folder: The run folder.
            epoch: Start of the run, in seconds since 1970.
        """
        message = {FOLDER: str(folder.absolute()), EPOCH: epoch}
        self._process.write_line(json.dumps(message))

    def expect(self, tests: int) -> None:
        """Let it export the number of tests that were collected, once the run has begun."""
        self._process.write_line(json.dumps({COLLECTED: tests}))

    def stop(self) -> list[str]:
        """Let it end, kill it if it does not, and return a line for each problem; the second time none."""
        if self._is_stopped:
            return []
        self._is_stopped = True
        self._process.write_line(END)
        is_over = self._process.end(END_WITHIN_S)
        if not is_over:
            self._problems.append(f"the exporter did not end within {END_WITHIN_S:g} s")
        why = self._stderr.take()
        if is_over and not self._has_ended and not self._error:
            self._problems.append(f"the exporter has ended before the run: {why or 'it was killed'}")
        return self._problems

    def _handle(self, message: Mapping[str, Any]) -> None:
        if READY in message:
            self.places = message[READY]
            self._ready.set()
        elif ERROR in message:
            self._error, self._wrong_setting = message[ERROR], message[SETTING]
            self._ready.set()
        if PROBLEMS in message:
            self._problems += message[PROBLEMS]
            self._has_ended = True
