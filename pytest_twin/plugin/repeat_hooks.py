"""Run each test several times, each time with new fixtures of its own, and report it once: ``--twin-repeat``."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import contextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import pytest
from _pytest._code.code import ExceptionChainRepr, ExceptionRepr, ReprFileLocation, ReprTracebackNative

from pytest_twin.model.attempt_row import CRASHED
from pytest_twin.plugin.hook_object import HookObject
from pytest_twin.plugin.load_context import shortfalls, warn
from pytest_twin.plugin.marks import nodeid_of
from pytest_twin.plugin.progress import Progress
from pytest_twin.plugin.repeat import ItemState, error_line, fail_by_subtests, restart_timeout, run_phases
from pytest_twin.plugin.stash import ATTEMPT_COUNT, HELD_LOAD, MORE_RUNS_FOLLOW
from pytest_twin.recording.outcome import FAILED, SKIPPED, classify_report
from pytest_twin.report.wording import format_count

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pytest_twin.loads.applied import AppliedLoad
    from pytest_twin.plugin.session import RecordedSession
    from pytest_twin.settings.requests import RepeatRequest

REPETITIONS = "twin_repeat"  # the property of a report with the result of all runs of its test
PHASES = frozenset({"setup", "call", "teardown"})  # pytest-forked has another for a test of which the process died
NUMBER = re.compile(r"\b0x[0-9a-f]+\b|\d+(?:\.\d+)?")  # such as times and addresses, by which equal errors differ
MOST_ERRORS, MOST_TESTS = 5, 20

Reports = list[pytest.TestReport]


class Repetitions:
    """The runs of one test: how many there were, how many failed, and the reports to show.

    Attributes:
        runs: The number of runs.
        failures: The number of runs that failed, in whichever phase.
    """

    def __init__(self) -> None:
        self.runs = self.failures = 0
        self._first_failure = 0
        self._errors: Counter[str] = Counter()  # by their text without its numbers
        self._examples: dict[str, str] = {}
        self._failed: Reports = []
        self._other: Reports = []
        self._is_skipped = True

    def add(self, reports: Reports) -> None:
        """Count a run; the reports of the first failure are kept, or those of the last run that was not skipped."""
        self.runs += 1
        if has_failed(reports):
            self.failures += 1
            error = error_line(next(each for each in reports if each.failed))
            kind = NUMBER.sub("0", error)
            self._errors[kind] += 1
            self._examples.setdefault(kind, error)
            if not self._failed:
                self._failed, self._first_failure = reports, self.runs
        elif self._is_skipped or not is_skipped(reports):
            self._other, self._is_skipped = reports, is_skipped(reports)

    @property
    def text(self) -> str:
        """The result of all runs, such as ``failed 7 of 20``."""
        return f"{'failed' if self.failures else 'passed'} {self.failures or self.runs} of {self.runs}"

    def reports(self) -> Reports:
        """Return the reports to show for all runs, with their result."""
        shown = self._failed or self._other
        if self._failed:
            lines = [f"{self.text}, first in run {self._first_failure}"]
            lines += [f"{number:>4} x {self._examples[kind]}" for kind, number in self._errors.most_common(MOST_ERRORS)]
            if (more := len(self._errors) - MOST_ERRORS) > 0:
                lines.append(f"     and {more} other errors")
            for report in shown:
                if report.failed:
                    _add_result(report, self.text, "\n".join(lines))
        if shown and (self._failed or not self._is_skipped):
            shown[-1].user_properties.append((REPETITIONS, self.text))
        return shown


def has_failed(reports: Iterable[pytest.TestReport]) -> bool:
    """Return whether a run failed, in whichever phase."""
    return any(each.failed for each in reports)


def is_skipped(reports: Iterable[pytest.TestReport]) -> bool:
    """Return whether a test was skipped, other than by an expected failure."""
    return any(classify_report(each) == SKIPPED for each in reports)


def _add_result(report: pytest.TestReport, result: str, section: str) -> None:
    """Add the result of all runs to the failure of one: before its message, and as a section behind its traceback."""
    failure = report.longrepr
    if not isinstance(failure, ExceptionRepr):  # of an item that has a text of its own, such as a doctest
        where = ReprFileLocation(str(report.location[0]), (report.location[1] or 0) + 1, error_line(report))
        failure = ExceptionChainRepr([(ReprTracebackNative([f"{failure}\n"]), where, None)])
        report.longrepr = failure
    if failure.reprcrash is not None:
        failure.reprcrash.message = f"{result}: {failure.reprcrash.message}"
    failure.addsection("repetitions", section)


class RepeatHooks(HookObject):
    """Runs each test as often as ``--twin-repeat`` requests.

    The fixtures of its class, its module and its session stay until its last run. A plugin that runs tests again, such
    as pytest-rerunfailures, does not get to do so: each failure counts.

    Attributes:
        interrupted: The line about the test that was interrupted; empty if none was.
    """

    def __init__(self, run: RecordedSession, request: RepeatRequest) -> None:
        self._run, self._request = run, request
        self.interrupted = ""

    def _progress_text(self, item: pytest.Item, done: Repetitions) -> str:
        failed = f", {done.failures} failed" if done.failures else ""
        return f"{item.nodeid}: {done.runs} of {self._request.most} runs{failed}"

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item, nextitem: pytest.Item | None) -> bool | None:
        """Run a test, and report its first failure, or its last run if all passed."""
        if item.config.getoption("setuponly", False):
            return None
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        done = Repetitions()
        try:
            self._run_all(item, nextitem, done)
        except (KeyboardInterrupt, pytest.exit.Exception):
            with self._run.guard:
                failed = f", of which {done.failures} failed" if done.failures else ""
                self.interrupted = f"interrupted after {done.runs} of {self._request.most}{failed}: {item.nodeid}"
                if done.failures:
                    _log(item, done.reports())
            raise
        _log(item, self._run.guard.value(done.reports, []))
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def _run_all(self, item: pytest.Item, nextitem: pytest.Item | None, done: Repetitions) -> None:
        """Run a test until it has failed or was run often enough, as requested, or its first run was skipped."""
        forked, progress = _forked_runner(item), Progress(item.config)
        state = ItemState(item)
        tear_down_rest = partial(item.session._setupstate.teardown_exact, nextitem)  # noqa: SLF001 - as pytest-forked
        with self._hold_load(item) as applied:
            while True:
                restart_timeout(item)
                if forked is None:
                    reports = run_phases(item, lambda reports: self._next_of(item, nextitem, done, reports))
                else:
                    reports = self._run_forked(item, forked, done)
                fail_by_subtests(item, reports)
                is_over = self._is_over(item, done, reports)
                done.add(reports)
                if is_over:
                    break
                progress.show(partial(self._progress_text, item, done))
                self._run.guard.value(state.restore, None)
        progress.clear()
        if forked is not None:
            tear_down_rest()
        elif item.stash[MORE_RUNS_FOLLOW]:  # only its teardown failed
            reports += _call_in_teardown(item, tear_down_rest)
        if texts := shortfalls(applied):
            reports += _call_in_teardown(item, partial(warn, item, texts, is_failing=done.failures > 0))

    @contextmanager
    def _hold_load(self, item: pytest.Item) -> Iterator[Sequence[AppliedLoad]]:
        """Keep a steady load of the session around all runs of a test.

        To start it for each run takes longer than many tests, and a disk becomes slow only after some seconds.
        """
        load = self._run.stress
        if load is None or not load.is_steady or self._request.most == 1:
            yield ()
            return
        item.stash[HELD_LOAD] = load
        try:
            with self._run.start().under_load(load, test=nodeid_of(item)) as applied:
                yield applied
        finally:
            del item.stash[HELD_LOAD]

    def _is_over(self, item: pytest.Item, done: Repetitions, reports: Reports) -> bool:
        """Return whether a run is the last one, by its reports so far."""
        if done.runs + 1 >= self._request.most or item.session.shouldstop or item.session.shouldfail:
            return True
        if self._request.until_fail and has_failed(reports):
            return True
        return not done.runs and is_skipped(reports)

    def _next_of(
        self, item: pytest.Item, nextitem: pytest.Item | None, done: Repetitions, reports: Reports
    ) -> pytest.Item | None:
        """Return what pytest keeps fixtures for in the teardown of a run: for what the test shares, or for the next."""
        item.stash[MORE_RUNS_FOLLOW] = not self._is_over(item, done, reports)
        if item.stash[MORE_RUNS_FOLLOW]:
            return cast("pytest.Item", item.parent)
        return None if item.session.shouldfail or item.session.shouldstop else nextitem

    def _run_forked(self, item: pytest.Item, forked: Callable[[pytest.Item], Reports], done: Repetitions) -> Reports:
        """Run a test in a fork, as pytest-forked does, and complete the rows of one that died."""
        item.stash[MORE_RUNS_FOLLOW] = done.runs + 1 < self._request.most
        reports = forked(item)
        item.stash[ATTEMPT_COUNT] = item.stash.get(ATTEMPT_COUNT, 0) + 1  # the fork counted for itself
        if any(report.when not in PHASES for report in reports) and self._run.recording is not None:
            from pytest_twin.recording.dead_process import abort_open_events

            with self._run.guard:
                abort_open_events(self._run.recording, self._run.worker, CRASHED, self._run.keeps_folder)
        return reports


def _forked_runner(item: pytest.Item) -> Callable[[pytest.Item], Reports] | None:
    """Return the function with which pytest-forked runs this test in a fork; None if it runs in this process."""
    plugin = item.config.pluginmanager.get_plugin("pytest_forked")
    if plugin is None or not (item.config.getoption("forked", False) or item.get_closest_marker("forked")):
        return None
    found: Callable[[pytest.Item], Reports] | None = getattr(plugin, "forked_run_report", None)
    return found


def _call_in_teardown(item: pytest.Item, function: Callable[[], object]) -> Reports:
    """Call something after the last run, such as the teardown of fixtures; return a report if it fails."""
    capture = item.config.pluginmanager.get_plugin("capturemanager")
    with nullcontext() if capture is None else capture.item_capture("teardown", item):
        passed_on = (pytest.exit.Exception, *(() if item.config.getoption("usepdb", False) else (KeyboardInterrupt,)))
        call = pytest.CallInfo.from_call(function, when="teardown", reraise=passed_on)
    return [item.ihook.pytest_runtest_makereport(item=item, call=call)] if call.excinfo is not None else []


def _log(item: pytest.Item, reports: Reports) -> None:
    for report in reports:
        item.ihook.pytest_runtest_logreport(report=report)


def repetition_lines(hooks: object, stats: Mapping[str, Sequence[Any]]) -> Iterator[str]:
    """Yield a line for each test that failed or was interrupted, and one for those that passed all of their runs.

    Args:
        hooks: The hooks that ran the tests.
        stats: The reports that pytest's terminal reporter has shown, by their category.
    """
    properties = (
        (report.nodeid, value)
        for reports in stats.values()
        for report in reports
        for name, value in getattr(report, "user_properties", ())
        if name == REPETITIONS
    )
    results = dict(properties)
    failed = {nodeid: result for nodeid, result in results.items() if result.startswith(FAILED)}
    for nodeid, result in list(failed.items())[:MOST_TESTS]:
        yield f"{result}: {nodeid}"
    if len(failed) > MOST_TESTS:
        yield f"... and {format_count(len(failed) - MOST_TESTS, 'more test')} that failed"
    if passed := Counter(result for nodeid, result in results.items() if nodeid not in failed):
        yield from (f"{result}: {format_count(number, 'test')}" for result, number in passed.items())
    if interrupted := getattr(hooks, "interrupted", ""):
        yield interrupted
