"""Tests that run in forks of their own, as pytest-forked makes them: what a fork cannot tell when it ends badly."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

import pytest

from pytest_twin.model.attempt_row import CRASHED
from pytest_twin.plugin.marks import has_workers

if TYPE_CHECKING:
    from pytest_twin.plugin.session import RecordedSession

PLUGIN = "pytest_forked"


class ForkedHooks:
    """Hooks of the tests, registered where pytest-forked is there."""

    def __init__(self, run: RecordedSession) -> None:
        self._run = run

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Generator[None, object, object]:
        """End a test that is interrupted: a fork sees no end of the session."""
        try:
            return (yield)
        except (KeyboardInterrupt, pytest.exit.Exception):
            if self._run.recording is not None and self._run.recording.is_forked:
                self._run.end_what_was_interrupted()
            raise

    pytest_runtest_call = pytest_runtest_teardown = pytest_runtest_setup

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """End what a test left whose fork died: pytest-forked tells of it so."""
        run = self._run
        if report.when == "???" and not has_workers(run.config) and run.recording is not None:  # type: ignore[comparison-overlap]
            from pytest_twin.recording.dead_process import abort_open_events

            with run.guard:
                abort_open_events(run.recording, run.worker, CRASHED, run.keeps)
