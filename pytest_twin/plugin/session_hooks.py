"""A recorded pytest session: hooks that start and end the recording, and hand over to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING

import pytest

from pytest_twin._system.stdlib import os
from pytest_twin.plugin import forked_hooks
from pytest_twin.plugin.marks import has_workers
from pytest_twin.plugin.runtest_hooks import RuntestHooks
from pytest_twin.plugin.session import RecordedSession
from pytest_twin.plugin.stash import RUN, SESSION_SCHEDULE, SETTINGS
from pytest_twin.recording import outcome
from pytest_twin.run_folder.folder import RunFolderError
from pytest_twin.run_folder.layout import OUTCOMES

if TYPE_CHECKING:
    from pytest_twin.model.run import Run


class SessionHooks:
    """Hooks of the session, registered once something asks to be recorded."""

    def __init__(self, run: RecordedSession) -> None:
        self._run = run

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """Let the sampler come up meanwhile, where it is known already that it is needed."""
        if (self._run.settings.enabled or self._run.schedule is not None) and not session.config.option.collectonly:
            self._run.prepare()

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Start before the first test, unless there will be none, or only workers know of it."""
        option, run = session.config.option, self._run
        wanted = run.settings.enabled or run.schedule is not None or not has_workers(session.config)
        if wanted and not option.collectonly and not (session.testsfailed and not option.continue_on_collection_errors):
            run.start()
            run.get_ready_for_loads(session.items)

    def pytest_keyboard_interrupt(self) -> None:
        """Wait no longer for what does not answer: somebody waits for the end."""
        if self._run.recording is not None:
            self._run.recording.hurry()

    def pytest_enter_pdb(self) -> None:
        """Let the loads rest while somebody debugs."""
        if self._run.recording is not None:
            with self._run.guard:
                self._run.recording.pause("debugger")

    def pytest_leave_pdb(self) -> None:
        """Let them go on."""
        if self._run.recording is not None:
            with self._run.guard:
                self._run.recording.resume("debugger")

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        """Complete the files when others are done: pytest-xdist's workers are gone then."""
        run = self._run
        if run.recording is not None and run.recording.is_forked:  # a test let a fork go on, up to here
            return (yield)
        run.end_what_was_interrupted()
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
                self._keep_outcomes(session.config)
            with run.guard:
                run.stack.close()
            with run.guard:
                run.tell()
            if run.worker and run.recording is not None:
                said = {"twin_dropped": run.recording.dropped, "twin_errors": run.guard.lines}
                session.config.workeroutput.update(said)  # type: ignore[attr-defined]
            try:
                read = cache(self._read)
                with run.guard:
                    self._weigh(session, read)
                with run.guard:
                    self._report(read)
            except KeyboardInterrupt:  # it takes its time; what pytest has to tell is told all the same
                session.exitstatus = pytest.ExitCode.INTERRUPTED
                run.reports.append("warning: interrupted before all was reported, saved or compared")

    def _keep_outcomes(self, config: pytest.Config) -> None:
        """Keep what pytest has counted: rows cannot tell it, since it counts reports, and not tests."""
        reporter = config.pluginmanager.get_plugin("terminalreporter")
        if self._run.recording is not None and not self._run.worker and reporter is not None:
            with suppress(RunFolderError):  # then the rows tell what they know
                self._run.folder.write_json(OUTCOMES, outcome.count_outcomes(reporter.stats))

    def _read(self) -> Run:
        """Read the run, of which the tables were read already when they were completed.

        Raises:
            ReadingError: A file cannot be read.
        """
        from pytest_twin.run_folder.frames import load

        tables = self._run.recording.tables if self._run.recording is not None else None
        return load(self._run.folder.path, tables.texts if tables is not None else None)

    def _weigh(self, session: pytest.Session, read: Callable[[], Run]) -> None:
        """Save the run, or compare it with earlier ones, as is asked for."""
        weighing, recording = self._run.weighing, self._run.recording
        if weighing is not None and recording is not None:
            ran = session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
            is_whole = ran and not (session.shouldstop or session.shouldfail)
            weighing.finish(recording.folder, recording.tables, read, is_whole=is_whole)
            if weighing.failure and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _report(self, read: Callable[[], Run]) -> None:
        """Make the reports that are asked for of the files, which are complete now."""
        run = self._run
        if run.recording is not None and not run.worker and run.settings.report:
            from pytest_twin.report.session_reports import write_reports

            base_dir = run.config.invocation_params.dir
            compared = run.weighing.comparison if run.weighing is not None else None
            run.reports = list(write_reports(run.folder.path, run.settings, base_dir, os.environ, compared, read))


def run_of(config: pytest.Config) -> RecordedSession:
    """The run of a pytest session, made when first needed, which can be while a test runs."""
    run: RecordedSession | None = config.pluginmanager.get_plugin(RUN)
    if run is None:
        run = RecordedSession(config, config.stash[SETTINGS], config.stash[SESSION_SCHEDULE])
        config.pluginmanager.register(run, RUN)
        config.pluginmanager.register(SessionHooks(run))
        config.pluginmanager.register(RuntestHooks(run))
        if config.pluginmanager.hasplugin(forked_hooks.PLUGIN):
            config.pluginmanager.register(forked_hooks.ForkedHooks(run))
    return run
