"""Hooks around each test of a recorded session, in every process that runs tests."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import AbstractContextManager, nullcontext, suppress
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_twin._system.clock import monotonic
from pytest_twin._system.error_guard import guarded
from pytest_twin._system.stdlib import os
from pytest_twin.model.attempt_row import WITHIN_BUDGET
from pytest_twin.plugin.hook_object import HookObject
from pytest_twin.plugin.load_context import load_around_test, shortfalls, warn
from pytest_twin.plugin.marks import NO_REQUEST, request_of
from pytest_twin.plugin.report_properties import pack, replace_ours
from pytest_twin.plugin.stash import (
    HELD_LOAD,
    MORE_RUNS_FOLLOW,
    REPETITION_LOAD,
    REPETITION_VERDICTS,
    REQUEST,
    TIMEOUT_SETTINGS,
    ItemRequest,
)
from pytest_twin.recording.outcome import (
    FAILED,
    PASSED,
    REPORT_OUTCOMES,
    SKIPPED,
    SUBTESTS,
    classify_exception,
    classify_report,
)
from pytest_twin.run_folder.layout import TESTS
from pytest_twin.telemetry.process_counters import read_self

if TYPE_CHECKING:
    from pytest_twin.analysis.budgets.budget import Budget
    from pytest_twin.plugin.failures import FailureKeeper
    from pytest_twin.plugin.profiler import Profiler
    from pytest_twin.plugin.session import RecordedSession
    from pytest_twin.recording.attempt import RecordedAttempt
    from pytest_twin.recording.budget_usage import BudgetUsage

NO_LOAD = nullcontext()
QUIET = frozenset({PASSED, SKIPPED})  # reports with nothing to keep
PhaseHook = Generator[None, object, object]
ReportHook = Generator[None, pytest.TestReport, pytest.TestReport]


class RuntestHooks(HookObject):
    """Hooks around the tests, registered once something is to be recorded."""

    def __init__(self, run: RecordedSession) -> None:
        self._run, self._running, self.guard = run, run.running, run.guard
        self._is_worker = bool(run.worker)
        self._is_setup_only: bool = getattr(run.config.option, "setuponly", False)
        self._profiler: Profiler | None = None
        # whether something of the session is around the body of each test
        self._has_context = run.surroundings is not None or run.for_each_test is not None or run.stress is not None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        """Repeat a test that is profiled, or that has a budget that needs it; the reported run comes after."""
        if self._is_setup_only:
            return
        if not self._run.items and not self._run.settings.profile:
            return
        if "twin_logger" in getattr(item, "fixturenames", ()):
            from pytest_twin.plugin.twin_logger import prepare

            with suppress(Exception):  # such as a broken pandas: the test that needs it fails by itself
                prepare(item)
        try:
            budget = item.stash[REQUEST].budget if REQUEST in item.stash else None
            if self._run.settings.profile:
                from pytest_twin.plugin.repeat import restart_timeout

                self._get_profiler(item.session).profile(item)
                restart_timeout(item)
            if budget is not None and budget.repeats:
                from pytest_twin.plugin.repeat import judge_by_repetition, restart_timeout

                item.stash[REPETITION_VERDICTS] = judge_by_repetition(item, budget)
                restart_timeout(item)
        except Exception as error:
            if not self.guard.absorb(error):
                raise

    @pytest.hookimpl(optionalhook=True, tryfirst=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> None:
        """Keep the limit of pytest-timeout for a test, if it is not for its body alone."""
        if not settings.func_only:
            item.stash[TIMEOUT_SETTINGS] = settings

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> PhaseHook:
        """Begin an attempt, and read the counters around the set-up."""
        __tracebackhide__ = True
        borders = self._run.begin_phase(item, "setup")
        try:
            result = yield
        except BaseException as error:
            borders += monotonic(), read_self()
            self._set_outcome_by_error(item, "setup", error)
            raise
        borders += monotonic(), read_self()
        self._publish_events()
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> PhaseHook:
        """Apply the load of a test around its body, count what the body uses, and judge its budget."""
        __tracebackhide__ = True
        request = NO_REQUEST
        try:
            request = request_of(item)
        except Exception as error:  # noqa: BLE001
            self.guard.report(error)
        if request is not NO_REQUEST or self._has_context or REPETITION_LOAD in item.stash:
            return (yield from self._call_under_request(item, request))
        borders = self._run.begin_phase(item, "call")
        try:
            result = yield
        except BaseException as error:
            borders += monotonic(), read_self()
            self._set_outcome_by_error(item, "call", error)
            raise
        borders += monotonic(), read_self()
        return result

    def pytest_plugin_registered(self) -> None:
        """Look for hooks of other plugins that want the events."""
        with self.guard:
            self._run.find_listeners()

    def _publish_events(self) -> None:
        recording = self._run.recording
        if recording is not None and recording.keeps_events:
            with self.guard:
                self._run.publish_events()

    def _set_outcome_by_error(self, item: pytest.Item, phase: str, error: BaseException) -> None:
        """Set the outcome of a phase that raised an exception: there may be no report of it."""
        running = self._running.get(id(item))
        if running is not None:
            running[1].phase_outcomes[phase] = classify_exception(error)

    @guarded
    def _call_under_request(self, item: pytest.Item, request: ItemRequest) -> PhaseHook:
        """Call a test that has marks of its own, a budget, or a load."""
        attempt = self._run.attempt_in(item, "call")
        attempt.has_request = bool(request.marks)
        try:
            try:
                with self._load_context(item, request, attempt):
                    usage = self._start_usage(attempt, request.budget) if request.budget else None
                    borders = attempt.begin_phase("call")
                    try:
                        value = yield
                    finally:
                        borders += monotonic(), read_self()
                        if request.budget is not None and usage is not None:
                            attempt.judge(request.budget, usage, item.stash.get(REPETITION_VERDICTS, ()))
                if attempt.verdict:
                    self._fail_over_budget(item, attempt)
            except BaseException:
                self._warn(item, attempt, is_failing=True)
                raise
            if attempt.applied_loads or attempt.verdict not in WITHIN_BUDGET:
                self._warn(item, attempt, is_failing=False)  # last: a warning may be an error
        except BaseException as error:
            attempt.phase_outcomes["call"] = classify_exception(error)  # there may be no report of it
            raise
        return value

    def _start_usage(self, attempt: RecordedAttempt, budget: Budget) -> BudgetUsage | None:
        if attempt.is_repetition:
            return None
        return self.guard.value(partial(attempt.start_usage, budget), None)

    def _fail_over_budget(self, item: pytest.Item, attempt: RecordedAttempt) -> None:
        """Fail a test whose body has passed and was over budget.

        Raises:
            pytest.fail.Exception: It was over budget.
        """
        inconclusive = self._run.settings.inconclusive
        if attempt.is_over_budget(inconclusive):
            from pytest_twin.analysis.budgets.budget import OVER, inconclusive_lines

            over = [f"over budget: {each.text}" for each in attempt.verdicts if each.verdict == OVER]
            unknown = inconclusive_lines(attempt.verdicts) if inconclusive == "fail" else []
            under = [f"under {load}" for load in attempt.achieved_loads]
            pytest.fail("\n".join([*over, *unknown, *under, f"see {self._place_of(item, attempt)}"]), pytrace=False)

    def _warn(self, item: pytest.Item, attempt: RecordedAttempt, *, is_failing: bool) -> None:
        texts: list[str] = []
        if attempt.applied_loads and not item.stash.get(MORE_RUNS_FOLLOW, False):  # of several runs, the first
            texts = [] if attempt.is_repetition else shortfalls(attempt.applied_loads)
        if attempt.verdict not in WITHIN_BUDGET and self._run.settings.inconclusive != "fail":
            from pytest_twin.analysis.budgets.budget import inconclusive_lines

            texts += inconclusive_lines(attempt.verdicts)
        if texts:
            warn(item, texts, is_failing=is_failing)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> PhaseHook:
        """Read the counters around the teardown, and hand the figures to pytest as properties of the report."""
        __tracebackhide__ = True
        if id(item) not in self._running:
            return (yield)
        borders = self._run.begin_phase(item, "teardown")
        try:
            result = yield
        except BaseException as error:
            borders += monotonic(), read_self()
            self._set_outcome_by_error(item, "teardown", error)
            self._finish(item)
            raise
        borders += monotonic(), read_self()
        self._finish(item)
        return result

    def _finish(self, item: pytest.Item) -> None:
        try:
            if (running := self._running.get(id(item))) is not None:
                replace_ours(item.user_properties, running[1].finish())
        except Exception as error:
            if not self.guard.absorb(error):
                raise

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> ReportHook:
        """Set the outcome of a phase by its report; after the teardown, write the row of the test."""
        report = yield
        try:
            running = self._running.get(id(item))
            if running is not None:
                attempt, phase = running[1], call.when
                if (
                    report.outcome != PASSED
                    or attempt.phase_outcomes
                    or hasattr(report, "wasxfail")
                    or (phase == "call" and report.user_properties)
                ):
                    _set_outcome_by_report(attempt, report)
                    if report.outcome == FAILED:
                        self._describe_failure(item, call, report, attempt)
                if phase == "teardown":
                    self._run.end_attempt(item, attempt)
                    self._publish_events()
        except Exception as error:
            if not self.guard.absorb(error):
                raise
        return report

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Replace the outcome of the body where another plugin, such as one for reruns, has changed the report.

        In a pytest-xdist worker, the figures in the report are made ready for the controller.
        """
        result = report.outcome
        try:
            if report.when == "call" and result in REPORT_OUTCOMES:
                for item, attempt in self._running.values():
                    if attempt.phase_outcomes.get("call", PASSED) != result and item.nodeid == report.nodeid:
                        _set_outcome_by_report(attempt, report)
            if self._is_worker:  # its failures come to the controller
                if report.user_properties:
                    pack(report.user_properties)
            elif result not in QUIET:
                self._failures.keep(report)
        except Exception as error:
            if not self.guard.absorb(error):
                raise

    @cached_property
    def _failures(self) -> FailureKeeper:
        from pytest_twin.plugin.failures import FailureKeeper

        return FailureKeeper(self._run)

    def _describe_failure(
        self, item: pytest.Item, call: pytest.CallInfo[None], report: pytest.TestReport, attempt: RecordedAttempt
    ) -> None:
        from pytest_twin.plugin.failures import describe_failure

        host = self._run.remote_worker.host if self._run.remote_worker is not None else ""
        with self.guard:
            describe_failure(item, call, report, attempt, host)

    def _get_profiler(self, session: pytest.Session) -> Profiler:
        if self._profiler is None:
            from pytest_twin.model.quantity import parse_duration
            from pytest_twin.plugin.profiler import Profiler

            settings = self._run.settings
            seconds, is_combined = parse_duration(settings.profile_time), settings.predict is not None
            self._profiler = Profiler(self._run.start(), seconds, len(session.items), is_combined=is_combined)
            self._run.stack.callback(self._profiler.close)
        return self._profiler

    def _load_context(
        self, item: pytest.Item, request: ItemRequest, attempt: RecordedAttempt
    ) -> AbstractContextManager[None]:
        """Return the context in which the body of a test runs."""
        run, plan = self._run, None
        if run.surroundings is not None or run.for_each_test is not None or request.schedule is not None:
            plan = self.guard.value(partial(run.schedule_around, item, request), None)
        repetition_load = item.stash[REPETITION_LOAD] if attempt.is_repetition else None
        stress = None if run.stress is None or item.stash.get(HELD_LOAD, None) is run.stress else run.stress
        if not request.load and plan is None and not repetition_load and stress is None:
            return NO_LOAD
        loads = [load for load in (request.load, stress, repetition_load) if load]
        return load_around_test(attempt, run.start(), loads, plan)

    def _place_of(self, item: pytest.Item, attempt: RecordedAttempt) -> str:
        """Return the path of the files about a test that is over its budget."""
        settings = self._run.settings
        if item.stash.get(REPETITION_VERDICTS, ()):
            return f"{settings.report_dir}{os.sep}{TESTS}, where each repetition has a row"
        kept = settings.per_test == "failed" or self._run.keeps_folder_of(item, attempt)
        return f"{settings.report_dir}{os.sep}{attempt.folder if kept else TESTS}"


def _set_outcome_by_report(attempt: RecordedAttempt, report: pytest.TestReport) -> None:
    """Set the outcome of a phase by its report, and add the figures so far to the report of a body that failed.

    The JUnit file has a test case of its own for such a failure if the teardown fails too.
    """
    if attempt.is_in_body or hasattr(report, "context"):  # the report of a subtest, or of another part of the body
        if report.failed:
            attempt.phase_outcomes[SUBTESTS] = FAILED
        return
    attempt.phase_outcomes[report.when] = classify_report(report)
    if report.when == "call" and (report.user_properties or report.outcome == FAILED):
        replace_ours(report.user_properties, attempt.finish() if report.failed else ())
