"""Hooks that start and end the recording of a pytest session, and save, compare and report it at the end."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

import pytest

from pytest_twin._system.stdlib import os
from pytest_twin.model.attempt_row import CRASHED
from pytest_twin.plugin.hook_object import HookObject
from pytest_twin.plugin.marks import has_workers, runs_tests
from pytest_twin.plugin.runtest_hooks import RuntestHooks
from pytest_twin.plugin.session import RecordedSession
from pytest_twin.plugin.stash import RECORDED_SESSION, REPEAT_PLUGIN, SESSION_CONSTRAINT, SESSION_SCHEDULE, SETTINGS
from pytest_twin.recording import outcome
from pytest_twin.run_folder.folder import RunFolderError
from pytest_twin.run_folder.layout import OUTCOMES

if TYPE_CHECKING:
    from pytest_twin.model.run import Run


class SessionHooks(HookObject):
    """Hooks of the session, registered once something is to be recorded."""

    def __init__(self, run: RecordedSession) -> None:
        self._run = run

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Start the recording before the first test, unless no test runs, or only workers know their tests."""
        run = self._run
        if runs_tests(session):
            run.measure_idle(run.items)
            run.start()
            run.start_supervisor(session.items if run.for_each_test is not None else run.items)
            run.expect(len(session.items))

    def pytest_keyboard_interrupt(self) -> None:
        """Wait only briefly for processes that do not respond: the user waits for the end."""
        if self._run.recording is not None:
            self._run.recording.hurry()

    def pytest_enter_pdb(self) -> None:
        """Pause the loads while the user debugs."""
        if self._run.recording is not None:
            with self._run.guard:
                self._run.recording.pause("debugger")

    def pytest_leave_pdb(self) -> None:
        """Resume the loads."""
        if self._run.recording is not None:
            with self._run.guard:
                self._run.recording.resume("debugger")

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        """Complete the files after all other plugins: then the workers of pytest-xdist have ended."""
        run = self._run
        if run.recording is not None and run.recording.is_forked:  # a fork that a test let go on
            return (yield)
        run.end_interrupted_attempts()
        if run.remote_worker is not None and run.recording is not None:
            with run.guard:
                run.remote_worker.wait_for_others()
        try:
            return (yield)
        finally:
            if run.worker_error:
                session.exitstatus = pytest.ExitCode.USAGE_ERROR
            if run.strict_error and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
            with run.guard:
                self._write_outcomes(session.config)
            with run.guard:
                run.stack.close()
            with run.guard:
                run.publish_events()
            if run.worker and run.recording is not None:
                output = {
                    "twin_dropped": run.recording.dropped,
                    "twin_errors": run.guard.lines,
                    "twin_strict": run.strict_error,
                }
                session.config.workeroutput.update(output)  # type: ignore[attr-defined]
            try:
                read = cache(self._read)
                with run.guard:
                    self._save_and_compare(session, read)
                with run.guard:
                    self._write_reports(read)
                with run.guard:
                    self._predict()
            except KeyboardInterrupt:  # pytest prints its summary all the same
                session.exitstatus = pytest.ExitCode.INTERRUPTED
                run.messages.append("warning: interrupted before the run was saved, compared and reported")

    def _write_outcomes(self, config: pytest.Config) -> None:
        """Write the counts of pytest's last line: it counts reports, so the rows of tests do not give them."""
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        if self._run.recording is not None and not self._run.worker and reporter is not None:
            with suppress(RunFolderError):  # then the counts are those of the rows
                self._run.folder.write_json(OUTCOMES, outcome.count_outcomes(reporter.stats))

    def _read(self) -> Run:
        """Read the run.

        Raises:
            ReadingError: A file cannot be read.
        """
        from pytest_twin.run_folder.frames import load

        return load(self._run.folder.path)

    def _save_and_compare(self, session: pytest.Session, read: Callable[[], Run]) -> None:
        """Save the run, and compare it with a baseline, as the options ask for."""
        baseline, recording = self._run.baseline, self._run.recording
        if baseline is not None and recording is not None:
            ran = session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
            is_whole = ran and not (session.shouldstop or session.shouldfail)
            baseline.finish(recording.folder, read, is_whole=is_whole)
            if baseline.failure and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _write_reports(self, read: Callable[[], Run]) -> None:
        """Write the reports that the options ask for, from the complete files."""
        run = self._run
        if run.recording is not None and not run.worker and run.settings.report:
            from pytest_twin.report.session_reports import write_reports

            base_dir = run.config.invocation_params.dir
            comparison = run.baseline.comparison if run.baseline is not None else None
            run.reports = list(write_reports(run.folder.path, run.settings, base_dir, os.environ, comparison, read))

    def _predict(self) -> None:
        """Predict the slowdown of the profiled tests, as the option asks for."""
        run = self._run
        if run.recording is not None and not run.worker and run.settings.profile and run.settings.predict is not None:
            from pytest_twin.report.prediction.lines import prediction_lines

            base_dir = run.config.invocation_params.dir
            run.messages += prediction_lines(run.folder.path, base_dir / run.settings.predict, base_dir)


class ForkedHooks(HookObject):
    """Hooks of tests that pytest-forked runs in a fork each, which cannot report its own end when it dies."""

    def __init__(self, run: RecordedSession) -> None:
        self._run = run

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self) -> Generator[None, object, object]:
        """End the attempt of a test that is interrupted: in a fork, ``pytest_sessionfinish`` is not called."""
        try:
            return (yield)
        except (KeyboardInterrupt, pytest.exit.Exception):
            if self._run.recording is not None and self._run.recording.is_forked:
                self._run.end_interrupted_attempts()
            raise

    pytest_runtest_call = pytest_runtest_teardown = pytest_runtest_setup

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Abort the open events of a test whose fork died, which pytest-forked reports as phase ``???``."""
        run = self._run
        if report.when == "???" and not has_workers(run.config) and run.recording is not None:  # type: ignore[comparison-overlap]
            from pytest_twin.recording.dead_process import abort_open_events

            with run.guard:
                abort_open_events(run.recording, run.worker, CRASHED, run.keeps_folder)


def run_of(config: pytest.Config) -> RecordedSession:
    """Return the recorded session, made with the first call, which may come while a test runs."""
    run: RecordedSession | None = config.stash.get(RECORDED_SESSION, None)
    if run is None:
        run = RecordedSession(config, config.stash[SETTINGS], config.stash[SESSION_SCHEDULE])
        config.stash[RECORDED_SESSION] = run
        config.pluginmanager.register(SessionHooks(run))
        if run.settings.repeat is not None:
            from pytest_twin.plugin.repeat_hooks import RepeatHooks

            config.pluginmanager.register(RepeatHooks(run, run.settings.repeat), REPEAT_PLUGIN)
        config.pluginmanager.register(RuntestHooks(run))  # which come before the other
        if (constraint := config.stash[SESSION_CONSTRAINT]) is not None and not has_workers(config):
            from pytest_twin.plugin.session_constraint import SessionConstraintHooks

            run.constraint_hooks = SessionConstraintHooks(run.start, constraint)
            config.pluginmanager.register(run.constraint_hooks)
        if config.pluginmanager.hasplugin("pytest_forked"):
            config.pluginmanager.register(ForkedHooks(run))
    return run
