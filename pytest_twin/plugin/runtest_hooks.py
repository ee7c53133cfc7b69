"""A recorded test, in whichever process it runs: hooks around it that hand over to its attempt."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_twin._system.error_guard import guarded
from pytest_twin._system.stdlib import os
from pytest_twin.plugin.load_context import load_around_test, shortfalls, warn
from pytest_twin.plugin.marks import NOTHING, asks_by_fixture, request_of
from pytest_twin.plugin.stash import LIMIT, REPEATED, ItemRequest
from pytest_twin.recording import outcome
from pytest_twin.run_folder.layout import TESTS

if TYPE_CHECKING:
    from pytest_twin.analysis.budgets.budget import LimitVerdict
    from pytest_twin.plugin.profiler import Profiler
    from pytest_twin.plugin.session import RecordedSession
    from pytest_twin.recording.attempt import RecordedAttempt

FOUND: pytest.StashKey[Iterable[LimitVerdict]] = pytest.StashKey()  # what the repetitions told

Hooked = Generator[None, pytest.TestReport, pytest.TestReport]


class RuntestHooks:
    """Hooks of the tests, registered once something asks to be recorded."""

    def __init__(self, run: RecordedSession) -> None:
        self._run, self.guard = run, run.guard
        self._profiler: Profiler | None = None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        """Repeat a test that is profiled, or whose budget needs it; the run that is reported comes after."""
        if getattr(item.config.option, "setuponly", False):
            return
        if "twin_logger" in getattr(item, "fixturenames", ()):
            from pytest_twin.plugin.twin_logger import prepare

            with suppress(Exception):  # such as a pandas that is broken, which the test is told if it needs it
                prepare(item)
        with self.guard:
            if self._run.settings.profile:
                self._profiling(item.session).profile(item)
                _limit_anew(item)
            budget = request_of(item).budget
            if budget is not None and budget.repeats:
                from pytest_twin.plugin.repeat import judge_by_repetition

                item.stash[FOUND] = judge_by_repetition(item, budget)
                _limit_anew(item)

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> None:
        """Keep the limit that pytest-timeout has for a test, and not only for its body."""
        if not settings.func_only:
            item.stash[LIMIT] = settings

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    @guarded
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        """A test begins."""
        attempt = self._run.begin_phase(item, "setup")
        attempt.read_counters("setup")
        try:
            yield
        except BaseException as error:
            attempt.set_phase_outcome("setup", outcome.classify_exception(error))
            raise
        finally:
            attempt.read_counters("setup")
        self._run.tell()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    @guarded
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Put the test's load around its body, ready before the first line of it."""
        attempt = self._run.begin_phase(item, "call")
        try:
            result = yield from self._called_with_warnings(item, attempt)
        except BaseException as error:
            attempt.set_phase_outcome(
                "call", outcome.classify_exception(error)
            )  # until a report tells more, of which there may be none
            raise
        attempt.set_phase_outcome("call", outcome.PASSED)
        return result

    def _called_with_warnings(self, item: pytest.Item, attempt: RecordedAttempt) -> Generator[None, object, object]:
        """Call a test; what there is to warn of comes last, for a warning may be an error."""
        try:
            result = yield from self._called(item, attempt)
        except BaseException:
            self._warn(item, attempt, is_failing=True)
            raise
        self._warn(item, attempt, is_failing=False)
        return result

    def _called(self, item: pytest.Item, attempt: RecordedAttempt) -> Generator[None, object, object]:
        request = self.guard.value(lambda: request_of(item), NOTHING)
        budget = request.budget
        attempt.uses_plugin = bool(request.marks) or asks_by_fixture(item)
        with self._around(item, request, attempt):
            spending = None
            if budget and not attempt.is_repetition:
                spending = self.guard.value(partial(attempt.start_usage, budget), None)
            attempt.read_counters("call")
            try:
                attempt.is_in_body = True
                result = yield
            finally:
                attempt.is_in_body = False
                attempt.read_counters("call")
                if budget is not None and spending is not None:
                    attempt.judge(budget, spending, item.stash.get(FOUND, ()))
        if attempt.verdicts:
            from pytest_twin.plugin.budget_verdict import report_budget_verdict

            report_budget_verdict(attempt, self._told_in(item, attempt), self._run.settings.inconclusive)
        return result

    def _warn(self, item: pytest.Item, attempt: RecordedAttempt, *, is_failing: bool) -> None:
        texts = shortfalls(attempt) if attempt.applied else []
        if attempt.verdicts and self._run.settings.inconclusive != "fail":
            from pytest_twin.plugin.budget_verdict import unknown

            texts += unknown(attempt.verdicts)
        if texts:
            warn(item, texts, is_failing=is_failing)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    @guarded
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        """A test ends; its figures become properties, which reports carry everywhere."""
        attempt = self._run.running.get(item)
        if attempt is None:
            return (yield)
        attempt.read_counters("teardown")
        try:
            yield
        except BaseException as error:
            attempt.set_phase_outcome("teardown", outcome.classify_exception(error))
            raise
        finally:
            attempt.read_counters("teardown")
            _replace_properties(item.user_properties, attempt.finish())

    @pytest.hookimpl(wrapper=True)
    @guarded
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Hooked:
        """Learn how it went; after the teardown its row is written."""
        report = yield
        attempt = self._run.running.get(item)
        if attempt is not None:
            _learn(attempt, report)
            if call.when == "teardown":
                self._run.end(item, attempt)
                self._run.tell()
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Learn how its body went after all: a plugin may have changed that since, such as one that ran it again."""
        with self.guard:
            for item, attempt in self._run.running.items():
                if item.nodeid == report.nodeid and report.when == "call" and report.outcome in outcome.REPORT_OUTCOMES:
                    _learn(attempt, report)

    def _profiling(self, session: pytest.Session) -> Profiler:
        if self._profiler is None:
            from pytest_twin.model.quantity import duration
            from pytest_twin.plugin.profiler import Profiler

            seconds = duration(self._run.settings.profile_time)
            self._profiler = Profiler(self._run.start(), seconds, len(session.items))
            self._run.stack.callback(self._profiler.close)
        return self._profiler

    def _around(
        self, item: pytest.Item, request: ItemRequest, attempt: RecordedAttempt
    ) -> AbstractContextManager[None]:
        """What is put around a test."""
        run = self._run
        plan = request.schedule or run.for_each_test
        more = item.stash.get(REPEATED, None)
        if not request.load and plan is None and not more:
            return nullcontext()
        from pytest_twin.loads.spec import Load

        faster = plan.faster(run.settings.schedule_speed) if plan is not None else None
        return load_around_test(attempt, run.start(), Load.merged(filter(None, [request.load, more])), faster)

    def _told_in(self, item: pytest.Item, attempt: RecordedAttempt) -> str:
        """Where the files tell of a test that its budget is about to fail."""
        settings = self._run.settings
        if item.stash.get(FOUND, ()):
            return f"{settings.report_dir}{os.sep}{TESTS}, where each repetition has a row"
        kept = settings.per_test == "failed" or self._run.keeps_of(item, attempt)
        return f"{settings.report_dir}{os.sep}{attempt.folder if kept else TESTS}"


def _limit_anew(item: pytest.Item) -> None:
    """Have pytest-timeout count anew, for what is run next may hang as well.

    It stops to count where a repetition fails, or has reached the limit.
    """
    if LIMIT in item.stash:
        item.ihook.pytest_timeout_cancel_timer(item=item)
        item.ihook.pytest_timeout_set_timer(item=item, settings=item.stash[LIMIT])


def _learn(attempt: RecordedAttempt, report: pytest.TestReport) -> None:
    """Keep what a report says of a test, and let that of a body that failed have the figures so far.

    JUnit's file has a test case of its own for such a failure if the teardown fails too.
    """
    if attempt.is_in_body or hasattr(report, "context"):  # of a part of the body, such as a subtest
        if report.failed:
            attempt.set_phase_outcome(outcome.SUBTESTS, outcome.FAILED)
        return
    attempt.set_phase_outcome(report.when, outcome.classify_report(report))
    if report.when == "call":
        _replace_properties(report.user_properties, attempt.finish() if report.failed else ())


def _replace_properties(properties: list[tuple[str, object]], ours: Iterable[tuple[str, object]]) -> None:
    properties[:] = [*(pair for pair in properties if not pair[0].startswith("twin_")), *ours]
