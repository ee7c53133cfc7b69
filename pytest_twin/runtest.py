"""A recorded pytest session: hooks around each test that hand over to the recording."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, nullcontext
from typing import TYPE_CHECKING, Any

import pytest

from pytest_twin.around import Turning, around, strict_troubles
from pytest_twin.attempt import Attempt
from pytest_twin.items import (
    ATTEMPT,
    HELD,
    REPEATED,
    RUN,
    SESSION_SCHEDULE,
    SETTINGS,
    asks,
    asks_by_fixture,
    budget_of,
    has_workers,
    load_of,
    marks_of,
    nodeid_of,
    schedule_of,
    wants_alone,
)
from pytest_twin.judging import fail_if_over
from pytest_twin.model.attempt import CRASHED, INTERRUPTED
from pytest_twin.model.clock import Clock
from pytest_twin.recording import Recording, new_clock
from pytest_twin.run_folder import TESTS, RunFolder, RunFolderError
from pytest_twin.sampler import SamplerError
from pytest_twin.turns import Turns

if TYPE_CHECKING:
    from pytest_twin.comparing import Weighing
    from pytest_twin.handover import Handover
    from pytest_twin.model.budget import Finding
    from pytest_twin.model.load import Load
    from pytest_twin.model.schedule import Schedule
    from pytest_twin.player import Player
    from pytest_twin.profiling import Profiler
    from pytest_twin.settings import Settings

FOUND: pytest.StashKey[Iterable[Finding]] = pytest.StashKey()  # what the repetitions told

Hooked = Generator[None, pytest.TestReport, pytest.TestReport]
BAD = {"failed", "error", CRASHED, INTERRUPTED}


class Run:
    """One pytest session that is recorded; registered as a plugin once something asks for it.

    Attributes:
        recording: The recording, None before it starts.
        settings: The options of the session.
        clock: Its clock; that of the controller in a pytest-xdist worker.
        folder: Where the files go.
        apart: Whether each pytest-xdist worker runs all tests, and not its share of them.
        held: Which other run has the folder, empty if none.
        worker_error: What pytest-xdist workers found wrong with what the tests ask for.
        strict_error: What the session's schedule asked for strictly, and was not had.
        weighing: What the session is saved as and compared with; None where neither is asked for.
        reports: A line for each report, which tells where it is or why it is not.
    """

    def __init__(self, config: pytest.Config, settings: Settings, schedule: Schedule | None) -> None:
        self._config, self.settings = config, settings
        self._schedule = schedule
        given: dict[str, Any] = getattr(config, "workerinput", {})
        self._worker: str = given.get("workerid", "")
        self._stack = ExitStack()
        self._away = self._stack.enter_context(_handover(given)) if "twin_channel" in given else None
        if self._away is not None:
            self.clock, self.folder = self._away.clock, self._away.folder
        else:
            self.clock = Clock(*given["twin_clock"]) if "twin_clock" in given else new_clock()
            self.folder = RunFolder(config.invocation_params.dir / given.get("twin_folder", settings.report_dir))
        self.recording: Recording | None = None
        self._prepared: Recording | None = None
        self.worker_error = self.strict_error = ""
        self.weighing: Weighing | None = None
        self.reports: list[str] = []
        self.apart: bool = given.get("twin_apart", getattr(config.option, "dist", "no") == "each")
        self.held: str = given.get("twin_held", "")
        self._latest: tuple[pytest.Item, Attempt] | None = None
        self._player: Player | None = None
        self._profiler: Profiler | None = None
        self._each = schedule if schedule is not None and schedule.is_for_each_test else None

    def start(self) -> Recording:
        """Begin to record, if that has not been done.

        Raises:
            pytest.UsageError: The report directory cannot be used, or the sampler does not start.
        """
        if self.held:
            raise pytest.UsageError(f"--twin-report-dir: {self.held}")
        if self.recording is None:
            recording = self._prepared or self._prepare()
            try:
                self.recording = self._stack.enter_context(recording)
                if self._away is not None:
                    self._away.begin(recording.abandon)
                if self._schedule is not None and not self._worker:
                    recording.write_schedule(self._schedule)
            except (RunFolderError, SamplerError) as error:
                raise pytest.UsageError(
                    f"--twin-report-dir: {error}" if isinstance(error, RunFolderError) else str(error)
                ) from None
            plays = self._away.samples if self._away is not None else not self._worker
            if self._schedule is not None and plays and self._each is None:
                from pytest_twin.player import Player

                prefix = self._worker and f"{self._worker}-"
                faster = self._schedule.faster(self.settings.schedule_speed)
                self._player = Player(faster, recording.apply, prefix=prefix)
        return self.recording

    def begin(self, item: pytest.Item) -> Attempt:
        """The attempt of a test that is running, begun if it has not been."""
        attempt = item.stash.get(ATTEMPT, None)
        if attempt is None or attempt.is_over:
            number = attempt.number + 1 if attempt else 1
            attempt = Attempt(self.start(), nodeid_of(item), number, is_repetition=REPEATED in item.stash)
            attempt.runs_under(item.stash.get(HELD, ""))
            item.stash[ATTEMPT] = attempt
            self._latest = item, attempt
        return attempt

    def _profiling(self, session: pytest.Session) -> Profiler:
        if self._profiler is None:
            from pytest_twin.model.quantity import duration
            from pytest_twin.profiling import Profiler

            seconds = duration(self.settings.profile_time)
            self._profiler = Profiler(self.start(), seconds, len(session.items))
            self._stack.callback(self._profiler.close)
        return self._profiler

    def _prepare(self) -> Recording:
        return Recording(
            self.folder,
            self.settings.interval,
            clock=self.clock,
            worker=self._worker,
            host=self._away.host if self._away is not None else "",
            samples=self._away.samples if self._away is not None else None,
            dataset=self._away.dataset if self._away is not None else None,
            has_tests=True,
            per_core=self.settings.per_core,
            limit=self._limit(),
            apart=self.apart,
        )

    def _limit(self) -> Load | None:
        if not self.settings.limit:
            return None
        from pytest_twin.loads import read_limit

        return read_limit(self.settings.limit)

    # the session

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> None:
        """Let the sampler come up meanwhile, where it is known already that it is needed."""
        if (self.settings.enabled or self._schedule is not None) and not session.config.option.collectonly:
            self._prepared = self._prepare()
            self._stack.callback(self._prepared.cancel)  # there may be nothing to run
            try:
                self._prepared.launch()
            except SamplerError as error:
                raise pytest.UsageError(str(error)) from None

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> None:
        """Start before the first test, unless there will be none, or only workers know of it."""
        option = session.config.option
        wanted = self.settings.enabled or self._schedule is not None or not has_workers(session.config)
        if wanted and not option.collectonly and not (session.testsfailed and not option.continue_on_collection_errors):
            self.start()

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        """Stop the loads first, and complete the files when others are done: pytest-xdist's workers are gone then."""
        self._end_what_was_interrupted()
        if self._away is not None and self.recording is not None:
            self._away.wait_for_others()
        self._stop_playing(session)
        try:
            return (yield)
        finally:
            if self.worker_error:
                session.exitstatus = pytest.ExitCode.USAGE_ERROR
            self._stack.close()
            self._tell()
            self._weigh(session)
            self._report()

    def _weigh(self, session: pytest.Session) -> None:
        """Save the run, or compare it with earlier ones, as is asked for."""
        if self.weighing is not None and self.recording is not None:
            ran = session.exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
            self.weighing.finish(self.recording.folder, is_whole=ran and not (session.shouldstop or session.shouldfail))
            if self.weighing.failure and session.exitstatus == pytest.ExitCode.OK:
                session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def _report(self) -> None:
        """Make the reports that are asked for of the files, which are complete now."""
        if self.recording is not None and not self._worker and (self.settings.report or self.settings.json):
            from pytest_twin.report.ending import write_reports

            near = self._config.invocation_params.dir
            self.reports = list(write_reports(self.folder.path, self.settings, near, os.environ))

    def _stop_playing(self, session: pytest.Session) -> None:
        """End the session's schedule."""
        if self.recording is None or self._player is None:
            return
        missing = self._player.stop()
        self.strict_error = "\n".join(filter(None, (self.strict_error, *strict_troubles(self._player.applied))))
        if self._away is not None:
            self._config.workeroutput["twin_strict"] = self.strict_error  # type: ignore[attr-defined]
        if self.strict_error and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
        for missed in missing:
            for part in missed.load.parts:
                reason = "no test that it is for ran within its time"
                self.recording.skipped(missed.id, part.kind.type, part.text, reason)

    def _end_what_was_interrupted(self) -> None:
        """Write the row of a test that the end of the session came into, such as by Ctrl-C or ``pytest.exit``."""
        if self._latest is not None and not self._latest[1].is_over:
            item, attempt = self._latest
            attempt.outcome = INTERRUPTED
            attempt.finish()
            attempt.end(keep=self._keeps(item, attempt))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """End what a test left that died in a fork of its own: pytest-forked tells of it so."""
        if report.when == "???" and not has_workers(self._config) and self.recording is not None:  # type: ignore[comparison-overlap]
            from pytest_twin.crashed import end_what_is_open

            end_what_is_open(self.recording, self._worker, CRASHED, self.keeps)

    def pytest_enter_pdb(self) -> None:
        """Let the loads rest while somebody debugs."""
        if self.recording is not None:
            self.recording.pause("debugger")

    def pytest_leave_pdb(self) -> None:
        """Let them go on."""
        if self.recording is not None:
            self.recording.resume("debugger")

    def take_turns(self, items: Iterable[pytest.Item]) -> None:
        """Have a stressed test run alone, where other workers would be disturbed, and would disturb it."""
        every = self.settings.profile
        alone = {item.nodeid for item in items if every or wants_alone(item, self._each)} if self._worker else set()
        if alone:
            self.start()
            where = self._away.turns if self._away is not None else self.folder.path
            turns = self._stack.enter_context(closing(Turns(where)))
            self._config.pluginmanager.register(Turning(turns, alone))

    # a test, in whichever process it runs

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Play the session's schedule, from the first test on."""
        if self._player is not None and self.recording is not None:
            if not self._player.started:
                self._player.start(self.recording.now_for_loads(started=True))
                self._player.wait_for_first()
            self._player.test_began(nodeid, self.recording.now_for_loads())

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """End what was applied for this test only."""
        if self._player is not None:
            self._player.test_ended(nodeid)

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> None:
        """Repeat a test that is profiled, or whose budget needs it; the run that is reported comes after."""
        if item.config.option.setuponly or item.config.option.setupplan:
            return
        if self.settings.profile:
            self._profiling(item.session).profile(item)
        budget = budget_of(item, marks_of(item))
        if budget is not None and budget.repeats:
            from pytest_twin.repeating import judged_by_repetitions

            item.stash[FOUND] = judged_by_repetitions(item, budget)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_setup(self, item: pytest.Item) -> Iterator[None]:
        """A test begins."""
        attempt = self.begin(item)
        attempt.border("setup")
        try:
            yield
        finally:
            attempt.border("setup")
        self._tell()

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Iterator[None]:
        """Put the test's load around its body, ready before the first line of it."""
        attempt = item.stash[ATTEMPT]
        marks = marks_of(item)
        budget = budget_of(item, marks)
        attempt.asks = bool(marks) or asks_by_fixture(item) or budget is not None
        with self._around(item, marks, attempt):
            spending = attempt.spending() if budget and not attempt.is_repetition else None
            attempt.border("call")
            try:
                result = yield
            finally:
                attempt.border("call")
                if budget is not None and spending is not None:
                    attempt.judge(budget, spending, item.stash.get(FOUND, ()))
        fail_if_over(item, attempt, self._told_in(item, attempt), self.settings.inconclusive)
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> Iterator[None]:
        """A test ends; its figures become properties, which reports carry everywhere."""
        attempt = item.stash[ATTEMPT]
        attempt.border("teardown")
        try:
            yield
        finally:
            attempt.border("teardown")
            others = [pair for pair in item.user_properties if not pair[0].startswith("twin_")]
            item.user_properties[:] = [*others, *attempt.finish()]

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(self, item: pytest.Item, call: pytest.CallInfo[None]) -> Hooked:
        """Learn how it went; after the teardown its row is written."""
        report = yield
        attempt = item.stash.get(ATTEMPT, None)
        if attempt is not None and not attempt.is_over:
            attempt.outcome = _outcome(attempt.outcome, report)
            if call.when == "teardown":
                attempt.end(keep=self._keeps(item, attempt))
                self._tell()
        return report

    def _around(self, item: pytest.Item, marks: list[pytest.Mark], attempt: Attempt) -> AbstractContextManager[None]:
        """What is put around a test."""
        plan = schedule_of(item, marks) or self._each
        more = item.stash.get(REPEATED, None)
        if not marks and plan is None and not more:
            return nullcontext()
        from pytest_twin.model.load import Load

        faster = plan.faster(self.settings.schedule_speed) if plan is not None else None
        return around(item, attempt, self.start(), Load.together(filter(None, [load_of(marks), more])), faster)

    def _keeps(self, item: pytest.Item, attempt: Attempt) -> bool:
        """Whether a test gets a folder of its own."""
        if attempt.is_repetition and attempt.outcome == "passed":
            return False
        return self.keeps(attempt.outcome, asks(item) if attempt.asks is None else attempt.asks)

    def keeps(self, outcome: str, is_marked: bool) -> bool:
        """The same of a test of which no more is known."""
        wanted = self.settings.per_test
        return {"marked": is_marked, "all": True, "failed": outcome in BAD, "none": False}[wanted]

    def _told_in(self, item: pytest.Item, attempt: Attempt) -> str:
        """Where the files tell of a test that its budget is about to fail."""
        if item.stash.get(FOUND, ()):
            return f"{self.settings.report_dir}{os.sep}{TESTS}, where each repetition has a row"
        kept = self.settings.per_test == "failed" or self._keeps(item, attempt)
        return f"{self.settings.report_dir}{os.sep}{attempt.folder if kept else TESTS}"

    def _tell(self) -> None:
        """Let other plugins know what happened."""
        if self.recording is not None:
            hook = self._config.hook.pytest_twin_event
            heard = self.recording.heard()
            if hook.get_hookimpls():
                for event in heard:
                    hook(event=event, config=self._config)


def _handover(given: Mapping[str, Any]) -> Handover:
    """The way to the controller of a worker on another host.

    Raises:
        pytest.UsageError: It cannot be had.
    """
    from pytest_twin.handover import Handover, HandoverError

    try:
        return Handover(given["twin_channel"], given["workerid"], given["twin_host_timeout"])
    except (HandoverError, OSError) as error:
        raise pytest.UsageError(f"twin: {error}") from None


def _outcome(before: str, report: pytest.TestReport) -> str:
    """How a test stands after one more phase."""
    if report.failed:
        return "failed" if report.when == "call" else "error"
    if hasattr(report, "wasxfail"):
        return "xfailed" if report.skipped else "xpassed"
    if report.skipped:
        return "skipped"
    return before or ("passed" if report.when == "call" else "")


def run_of(config: pytest.Config) -> Run:
    """The run of this session, registered when first needed, which can be while a test runs."""
    run: Run | None = config.pluginmanager.get_plugin(RUN)
    if run is None:
        run = Run(config, config.stash[SETTINGS], config.stash[SESSION_SCHEDULE])
        config.pluginmanager.register(run, RUN)
    return run
