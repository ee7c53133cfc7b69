"""Hooks of a session that searches for flaky tests instead of running each test once."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from pytest_twin._system.clock import monotonic
from pytest_twin._system.stdlib import sys
from pytest_twin.model.flaky_row import BREAKS
from pytest_twin.plugin.flaky.known_tests import KnownTests
from pytest_twin.plugin.hook_object import HookObject
from pytest_twin.plugin.marks import has_workers, nodeid_of, uses_marker_or_fixture
from pytest_twin.plugin.progress import Progress, format_left
from pytest_twin.settings.options import Settings, SettingsError, flag

if TYPE_CHECKING:
    from pytest_twin.plugin.flaky.results import Row
    from pytest_twin.recording.recording import Recording

SEARCHED = "searched"  # category of tests in pytest's last line
SAVE_EVERY_S, SAVE_SHARE = 20.0, 0.02  # of what is known so far, at most for this share of the time
# options that run a test several times, or change the machine
REFUSED = ("like", "profile", "repeat", "stress", "constrain")


def check_search(config: pytest.Config, settings: Settings) -> None:
    """Check that pytest's options and the platform allow a search.

    Raises:
        pytest.UsageError: They do not.
    """
    option = flag("flaky")
    if sys.platform == "win32":
        raise pytest.UsageError(f"{option} needs fork, which Windows does not have; run it on Linux, or in WSL")
    if has_workers(config) or hasattr(config, "workerinput"):
        raise pytest.UsageError(f"{option} runs the tests in processes of its own; add -n 0 to leave pytest-xdist out")
    if getattr(config.option, "usepdb", False):
        raise pytest.UsageError(f"{option} cannot be combined with --pdb: its tests have no terminal")
    for name in REFUSED:
        if getattr(settings, name, None):
            raise pytest.UsageError(f"{option} cannot be combined with {flag(name)}: choose one of them")


class FlakyHooks(HookObject):
    """Hooks of a session with ``--twin-flaky``."""

    def __init__(self, config: pytest.Config, settings: Settings) -> None:
        """Read the list of known tests.

        Raises:
            pytest.UsageError: It cannot be read, or pytest's options or the platform do not allow a search.
        """
        check_search(config, settings)
        self._config, self._settings = config, settings
        try:
            self._known = KnownTests(settings.flaky_known, config.invocation_params.dir)
        except SettingsError as error:
            raise pytest.UsageError(str(error)) from None
        self._search: Any = None  # a `FlakySearch`, which the type checker does not know on Windows
        self._rows: list[Row] = []
        self._items: list[pytest.Item] = []
        self._save_at = monotonic() + SAVE_EVERY_S

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self) -> None:
        """Begin a category of tests, without which pytest's last line would be "no tests ran"."""
        reporter = self._config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None:
            reporter.stats[SEARCHED] = []  # before pytest looks which categories there are

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Search; no test runs in this process.

        Raises:
            pytest.Session.Interrupted: There were errors during collection.
        """
        option = session.config.option
        if session.testsfailed and not option.continue_on_collection_errors:
            many = f"{session.testsfailed} error{'s' if session.testsfailed > 1 else ''} during collection"
            raise session.Interrupted(many)
        if not option.collectonly and session.items:
            self._run(session)
        return True

    def _run(self, session: pytest.Session) -> None:
        if sys.platform == "win32":  # for the type checker: `check_search` has refused
            return
        from pytest_twin.model.quantity import parse_duration
        from pytest_twin.plugin.flaky import search
        from pytest_twin.plugin.session_hooks import run_of

        run = run_of(session.config)
        recording = run.start()
        recording.start_supervisor()
        self._items = session.items
        seconds = parse_duration(self._settings.flaky_time)

        progress = Progress(session.config)

        def after_run(running: Any) -> None:
            progress.show(lambda: self._progress_text(running))
            if monotonic() > self._save_at:  # so that what is known outlives a search that is killed
                with run.guard:
                    self._save(recording)

        self._search = search.FlakySearch(session.items, recording, seconds, self._bypassed_plugins, after_run)
        try:
            self._search.run()
        finally:
            progress.clear()
            with run.guard:
                self._save(recording)

    def _save(self, recording: Recording) -> None:
        """Write what is known so far."""
        from pytest_twin.plugin.flaky.results import write_results

        began = monotonic()
        self._rows = write_results(self._search.planner, recording)
        ended = monotonic()
        self._save_at = ended + max(SAVE_EVERY_S, (ended - began) / SAVE_SHARE)

    def _bypassed_plugins(self, item: pytest.Item) -> Collection[object]:
        """Return the plugins that would record the runs of a test: none for a test that needs them for its own load."""
        from pytest_twin.plugin.runtest_hooks import RuntestHooks
        from pytest_twin.plugin.session_hooks import ForkedHooks, SessionHooks

        found = self._config.pluginmanager.get_plugins()
        return [
            each
            for each in found
            if isinstance(each, SessionHooks | ForkedHooks)
            or (isinstance(each, RuntestHooks) and not uses_marker_or_fixture(item))
        ]

    @staticmethod
    def _progress_text(search: Any) -> str:
        tallies = search.planner.tallies
        started = sum(bool(of_test) for of_test in tallies.values())
        failing = sum(any(each.is_suspect for each in of_test.values()) for of_test in tallies.values())
        return (
            f"{search.runs:,} runs of {started:,} of {len(tallies):,} tests, {failing:,} failed at least once, "
            f"{format_left(search.left_s)}"
        )

    @property
    def _unknown(self) -> list[str]:
        """The tests that break and are not known."""
        broken = dict.fromkeys(row["nodeid"] for row in self._rows if row["verdict"] == BREAKS)
        return [nodeid for nodeid in broken if not self._known.has(nodeid)]

    @pytest.hookimpl(wrapper=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        """Fail the session if a test breaks that is not known, where that is asked for."""
        try:
            return (yield)
        finally:
            if self._settings.flaky_fail and self._unknown and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Show what was found, with the commands that reproduce it."""
        if self._search is None:
            return
        from pytest_twin.plugin.terminal import write_line
        from pytest_twin.report.flaky_terminal import finding_lines

        tallies = self._search.planner.tallies
        terminalreporter.stats[SEARCHED] = [item for item in self._items if tallies.get(nodeid_of(item))]
        terminalreporter.write_sep("=", "flaky tests")
        for line in finding_lines(self._rows):
            terminalreporter.write_line(line)
        for condition, reason in self._search.unavailable.items():
            write_line(terminalreporter, f"not searched under {condition}: {reason}", yellow=True)
        for line in self._known.unmatched([nodeid_of(item) for item in self._items]):
            text = f"{flag('flaky_known')}: {line} matches none of these tests"
            write_line(terminalreporter, text, yellow=True)
        if self._settings.flaky_fail and self._unknown:
            many = len(self._unknown)
            text = f"FAILED {flag('flaky_fail')}: {many} test{'s' if many > 1 else ''} break{'s' if many == 1 else ''}"
            write_line(terminalreporter, f"{text} and {'are' if many > 1 else 'is'} not known", red=True)
