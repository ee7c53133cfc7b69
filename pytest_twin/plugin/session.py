"""One pytest session that is recorded: what all of its hooks share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack, closing
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_twin._system.error_guard import ErrorGuard
from pytest_twin._system.locks import SharedExclusiveLock
from pytest_twin._system.response_timeout import say_on_stderr
from pytest_twin._system.stdlib import os
from pytest_twin.model.attempt_row import BAD, INTERRUPTED
from pytest_twin.model.clock import Clock
from pytest_twin.plugin.marks import asks_itself, needs_load, nodeid_of, wants_alone
from pytest_twin.plugin.stash import HELD, REPEATED, REPETITION, TIMES
from pytest_twin.plugin.warnings import TwinWarning
from pytest_twin.plugin.xdist_worker_hooks import XdistWorkerHooks
from pytest_twin.recording.attempt import RecordedAttempt
from pytest_twin.recording.recording import Recording, new_clock
from pytest_twin.run_folder.folder import RunFolder, RunFolderError
from pytest_twin.settings.options import flag
from pytest_twin.telemetry.sampler import SamplerError
from pytest_twin.telemetry.sampler_config import SamplerConfig

if TYPE_CHECKING:
    from pytest_twin.loads.schedule.schedule import Schedule
    from pytest_twin.loads.spec import Load
    from pytest_twin.plugin.baseline import BaselineComparison
    from pytest_twin.plugin.schedule_hooks import SessionScheduleHooks
    from pytest_twin.remote.worker import RemoteWorker
    from pytest_twin.settings.options import Settings


class RecordedSession:
    """One pytest session that is recorded, made once something asks for it.

    Attributes:
        config: That of pytest.
        settings: The options of the session.
        schedule: The schedule of the session, None without one.
        for_each_test: The same, where it is played around each test that it selects.
        worker: The pytest-xdist worker that this process is, empty if it is none.
        remote_worker: The way to the controller, of a pytest-xdist worker on another host; None for any other process.
        clock: Its clock; that of the controller in a pytest-xdist worker.
        folder: Where the files go.
        recording: The recording, None before it starts.
        stack: What is stopped when the session ends.
        dist_each: Whether each pytest-xdist worker runs all tests, and not its share of them.
        locked_by: Which other run has the folder, empty if none.
        worker_error: What pytest-xdist workers found wrong with what the tests ask for.
        dropped_by_workers: Rows that pytest-xdist workers could not write.
        errors_by_workers: What their guards say, a line each.
        strict_of_workers: What was not had on other hosts of what the session's schedule asked for strictly.
        weighing: What the session is saved as and compared with; None where neither is asked for.
        reports: A line for each report, which tells where it is or why it is not.
        running: The tests that run, of which there is rarely more than one.
        guard: Keeps errors of ours from them.
    """

    def __init__(self, config: pytest.Config, settings: Settings, schedule: Schedule | None) -> None:
        self.config, self.settings, self.schedule = config, settings, schedule
        self.for_each_test = schedule if schedule is not None and schedule.is_for_each_test else None
        given: dict[str, Any] = getattr(config, "workerinput", {})
        self.worker: str = given.get("workerid", "")
        self.stack = ExitStack()
        self.remote_worker = self.stack.enter_context(_handover(given)) if "twin_channel" in given else None
        if self.remote_worker is not None:
            self.clock, self.folder = self.remote_worker.clock, self.remote_worker.folder
        else:
            self.clock = Clock(*given["twin_clock"]) if "twin_clock" in given else new_clock()
            self.folder = RunFolder(config.invocation_params.dir / given.get("twin_folder", settings.report_dir))
        self.dist_each: bool = given.get("twin_apart", getattr(config.option, "dist", "no") == "each")
        self.locked_by: str = given.get("twin_held", "")
        self.recording: Recording | None = None
        self.worker_error = ""
        self.dropped_by_workers = 0
        self.errors_by_workers: list[str] = []
        self.strict_of_workers: list[str] = []
        self.weighing: BaselineComparison | None = None
        self.reports: list[str] = []
        self._prepared: Recording | None = None
        self._playing: SessionScheduleHooks | None = None
        self.running: dict[pytest.Item, RecordedAttempt] = {}
        self.guard = ErrorGuard(self._note, passes=(TwinWarning,))

    @property
    def strict_error(self) -> str:
        """What the session's schedule asked for strictly, and was not had."""
        own = [self._playing.strict_error] if self._playing is not None else []
        return "\n".join(filter(None, (*self.strict_of_workers, *own)))

    def prepare(self) -> None:
        """Let the sampler come up, while other things are done.

        Raises:
            pytest.UsageError: The sampler does not start.
        """
        self._prepared = self._new_recording()
        self.stack.callback(self._prepared.cancel)  # there may be nothing to run
        try:
            self._prepared.launch()
        except SamplerError as error:
            raise pytest.UsageError(str(error)) from None

    def start(self) -> Recording:
        """Begin to record, if that has not been done.

        Raises:
            pytest.UsageError: The report directory cannot be used, or the sampler does not start.
        """
        if self.locked_by:
            raise pytest.UsageError(f"{flag('report_dir')}: {self.locked_by}")
        if self.recording is None:
            recording = self._prepared or self._new_recording()
            try:
                self.recording = self.stack.enter_context(recording)
                if self.remote_worker is not None:
                    self.remote_worker.request_recording(recording.abandon)
                if self.schedule is not None and not self.worker:
                    recording.write_schedule(self.schedule)
            except (RunFolderError, SamplerError) as error:
                where = f"{flag('report_dir')}: " if isinstance(error, RunFolderError) else ""
                raise pytest.UsageError(f"{where}{error}") from None
            plays = self.remote_worker.samples if self.remote_worker is not None else not self.worker
            if self.schedule is not None and plays and self.for_each_test is None:
                from pytest_twin.plugin.schedule_hooks import SessionScheduleHooks

                self._playing = SessionScheduleHooks(self.schedule.faster(self.settings.schedule_speed), recording)
                self.config.pluginmanager.register(self._playing)
        return self.recording

    def _new_recording(self) -> Recording:
        path = str(self.remote_worker.dataset) if self.remote_worker is not None else ""
        return Recording(
            self.folder,
            SamplerConfig(self.settings.interval, has_tests=True, per_core=self.settings.per_core, path=path),
            clock=self.clock,
            worker=self.worker,
            host=self.remote_worker.host if self.remote_worker is not None else "",
            samples=self.remote_worker.samples if self.remote_worker is not None else None,
            limit=self._limit(),
            dist_each=self.dist_each,
            guard=self.guard,
            tell=_teller(self.config),
        )

    def _limit(self) -> Load | None:
        if not self.settings.limit:
            return None
        from pytest_twin.loads.validation import read_limit

        return read_limit(self.settings.limit)

    def get_ready_for_loads(self, items: Iterable[pytest.Item]) -> None:
        """Have the supervisor up before the first test, if any may need it: it is no test's then, nor is its thread."""
        if self.recording is None:
            return
        is_played = self._playing is not None or self.settings.profile
        if is_played or any(needs_load(item, self.for_each_test) for item in items):
            self.recording.start_supervisor()

    def take_turns(self, items: Iterable[pytest.Item]) -> None:
        """Have a stressed test run alone, where other workers would be disturbed, and would disturb it."""
        if not self.worker:
            return
        every = self.settings.profile
        alone = {item.nodeid for item in items if every or wants_alone(item, self.for_each_test)}
        if alone:
            self.start()
            where = self.remote_worker.lock_dir if self.remote_worker is not None else self.folder.path
            turns = self.stack.enter_context(closing(SharedExclusiveLock(where)))
            self.config.pluginmanager.register(XdistWorkerHooks(turns, alone, self.guard))

    def begin(self, item: pytest.Item) -> RecordedAttempt:
        """The attempt of a test that is running, begun if it has not been."""
        attempt = self.running.get(item)
        if attempt is None:
            number = item.stash[TIMES] = item.stash.get(TIMES, 0) + 1
            attempt = RecordedAttempt(self.start(), nodeid_of(item), number, is_repetition=REPEATED in item.stash)
            self.running[item] = attempt  # at once: an interrupt ends what is here
            attempt.add_load(item.stash.get(HELD, ""))
        return attempt

    def begin_phase(self, item: pytest.Item, phase: str) -> RecordedAttempt:
        """The attempt of a test that comes to a phase: a new one where a plugin has it come there again."""
        earlier = self.running.get(item)
        if earlier is not None and earlier.has_reached(phase):
            if not earlier.has_reached("teardown"):
                earlier.finish()
            self.end(item, earlier)
        return self.begin(item)

    def end(self, item: pytest.Item, attempt: RecordedAttempt) -> None:
        """Write the row of a test; nothing of it is kept, while pytest keeps the test itself to the end."""
        try:
            attempt.end(keep=self.keeps_of(item, attempt))
        finally:
            del self.running[item]
        if attempt.is_repetition:
            item.stash[REPETITION] = attempt

    def end_what_was_interrupted(self) -> None:
        """Write the row of a test that the end of the session came into, such as by Ctrl-C or ``pytest.exit``."""
        for item, attempt in list(self.running.items()):
            attempt.outcome = INTERRUPTED
            with self.guard:
                attempt.finish()
                self.end(item, attempt)

    def keeps_of(self, item: pytest.Item, attempt: RecordedAttempt) -> bool:
        """Whether a test gets a folder of its own."""
        if attempt.is_repetition and attempt.outcome == "passed":
            return False
        is_marked = asks_itself(item) if attempt.uses_plugin is None else attempt.uses_plugin
        return self.keeps(attempt.outcome, is_marked or self._is_over_budget(attempt))

    def _is_over_budget(self, attempt: RecordedAttempt) -> bool:
        if not attempt.verdicts:
            return False
        from pytest_twin.plugin.budget_verdict import is_broken

        return is_broken(attempt.verdicts, self.settings.inconclusive)

    def keeps(self, outcome: str, is_marked: bool) -> bool:
        """The same of a test of which no more is known."""
        wanted = self.settings.per_test
        return {"marked": is_marked, "all": True, "failed": outcome in BAD, "none": False}[wanted]

    def _note(self, text: str) -> None:
        """Write a note, at the test that runs."""
        if self.recording is not None:
            self.recording.note(text, test=next((each.nodeid for each in self.running.values()), ""))

    def tell(self) -> None:
        """Let other plugins know what happened."""
        if self.recording is not None:
            hook = self.config.hook.pytest_twin_event
            heard = self.recording.take_events()
            if hook.get_hookimpls():
                for event in heard:
                    hook(event=event, config=self.config)


def _teller(config: pytest.Config) -> Callable[[str], None]:
    """What tells the user a line while pytest keeps what a test prints, where a run is made before the first test."""
    try:
        fd = os.dup(2)
    except OSError:  # it is closed
        return lambda _: None
    config.add_cleanup(lambda: _close(fd))
    return partial(say_on_stderr, fd=fd, begin="\n")


def _close(fd: int) -> None:
    try:
        os.close(fd)
    except OSError:  # a test closed it already
        pass


def _handover(given: Mapping[str, Any]) -> RemoteWorker:
    """The way to the controller of a worker on another host.

    Raises:
        pytest.UsageError: It cannot be had.
    """
    from pytest_twin.remote.protocol import RemoteError
    from pytest_twin.remote.worker import RemoteWorker

    try:
        return RemoteWorker(given["twin_channel"], given["workerid"], given["twin_host_timeout"])
    except (RemoteError, OSError) as error:
        raise pytest.UsageError(f"twin: {error}") from None
