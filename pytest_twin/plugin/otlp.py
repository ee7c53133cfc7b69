"""Export a recorded session by OTLP when it is over."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pytest_twin._system.child_process import ProcessContext
from pytest_twin._system.stdlib import os
from pytest_twin.export.otlp.client import OtlpProcess
from pytest_twin.export.otlp.config import OtlpError, check_requirements, read_config
from pytest_twin.export.otlp.outcome import outcome_line
from pytest_twin.report.wording import relative_path
from pytest_twin.settings.options import PER_TEST_TRACE
from pytest_twin.settings.parsers import ENVIRONMENT

if TYPE_CHECKING:
    from pytest_twin.settings.options import Settings

LIMIT_S = 1.4  # of the process for everything
WAIT_S = 1.7  # of the run for the process, which is killed then: with its end less than 2 s
DETACH_S = 2.0
MOST_POINTS = 600  # of a series of metrics


class OtlpSession:
    """Exports a session: the process waits from the collection on, and has ended with the summary."""

    def __init__(self, settings: Settings) -> None:
        """Check that the session can be exported, before anything starts.

        Raises:
            pytest.UsageError: It cannot be.
        """
        url = None if settings.otlp == ENVIRONMENT else settings.otlp
        is_per_test = settings.otlp_trace == PER_TEST_TRACE
        try:
            check_requirements()
            self._config = read_config(os.environ, url, per_test=is_per_test, traceparent=settings.traceparent)
        except OtlpError as error:
            raise pytest.UsageError(f"{settings.written('otlp')}: {error}") from None
        self._context = ProcessContext()
        self._process: OtlpProcess | None = None
        self._folder: Path | None = None
        self._problem = ""

    def launch(self) -> None:
        """Start the process, unless it runs: what it imports takes longer than all that it does."""
        if self._config.disabled or self._process is not None:
            return
        try:
            self._process = OtlpProcess(self._config, self._context)
        except (OSError, RuntimeError) as error:
            self._problem = f"the process cannot be started: {getattr(error, 'strerror', None) or error}"

    def detach(self) -> None:
        """Wait until the process is none of the tests', before their first sample."""
        if self._process is not None:
            self._process.wait_detached(DETACH_S)

    def cancel(self) -> None:
        """Stop the process, as before a fork that goes on in the place of this one; `export` starts another."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def export(self, folder: Path) -> None:
        """Let it export the run, of which the files are complete."""
        self._folder = folder
        self.launch()
        if self._process is not None:
            self._process.export(folder, LIMIT_S, host=platform.node(), most_points=MOST_POINTS)

    def finish(self, base_dir: Path) -> list[str]:
        """Wait for its end, and return a line about it; none where nothing was exported.

        Args:
            base_dir: The directory that paths are relative to.
        """
        if self._folder is None:
            return []
        process, self._process = self._process, None
        result = {"problem": self._problem} if process is None else process.wait(WAIT_S)
        later = f"to send the run later: pytest-twin export {relative_path(self._folder, base_dir)} --otlp URL"
        return [outcome_line(self._config, result, later)]

    def close(self) -> None:
        """Wait for its end where no summary was printed."""
        if self._folder is not None:
            self.finish(Path())
        self.cancel()
