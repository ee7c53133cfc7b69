"""The state of one recorded pytest session, which all of its hooks share."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import pytest

from pytest_twin._system.error_guard import ErrorGuard
from pytest_twin._system.response_timeout import say_on_stderr
from pytest_twin._system.stdlib import os
from pytest_twin.model.attempt_row import BAD
from pytest_twin.model.clock import Clock
from pytest_twin.plugin.load_context import TwinWarning
from pytest_twin.plugin.marks import (
    has_workers,
    needs_supervisor,
    nodeid_of,
    request_of,
    uses_fixture,
    uses_marker_or_fixture,
)
from pytest_twin.plugin.stash import (
    ATTEMPT_COUNT,
    EXPORTER,
    HELD_LOAD,
    LAST_REPETITION,
    MORE_RUNS_FOLLOW,
    OTLP,
    REPETITION_LOAD,
    SESSION_STRESS,
    TWIN,
)
from pytest_twin.recording.attempt import RecordedAttempt
from pytest_twin.recording.outcome import PASSED
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
    from pytest_twin.plugin.session_constraint import SessionConstraintHooks
    from pytest_twin.plugin.stash import ItemRequest
    from pytest_twin.remote.worker import RemoteWorker
    from pytest_twin.settings.options import Settings
    from pytest_twin.telemetry.process_counters import Borders


class RecordedSession:
    """One recorded pytest session, made once something has to be recorded.

    Attributes:
        config: The configuration of pytest.
        settings: The settings of the session.
        schedule: The schedule of the session, None without one.
        stress: The load around every test; None without one.
        surroundings: What surrounded the tests of the recording that the session reproduces; None without one.
        idle_cpu: The share of the CPUs that this machine uses at idle, which is taken out of replays.
        idle_text: A line about that; empty where it was not measured.
        for_each_test: The schedule, if it is played around each test that it selects; None otherwise.
        worker: The name of the pytest-xdist worker that this process is; empty for any other process.
        remote_worker: The connection to the controller, in a pytest-xdist worker on another host; None otherwise.
        clock: The clock of the run; in a pytest-xdist worker, that of the controller.
        folder: The run folder.
        recording: The recording, None before it starts.
        stack: The contexts that are left when the session ends.
        dist_each: Whether each pytest-xdist worker runs all tests, and not its share of them.
        locked_by: The message about another run that has locked the folder; empty if none has.
        worker_error: The errors that pytest-xdist workers found in the markers of the tests.
        dropped_by_workers: The number of rows that pytest-xdist workers could not write.
        errors_of_workers: A line for each internal error in pytest-xdist workers.
        notes_of_workers: A line for each constraint of a mark that takes nothing away, from pytest-xdist workers.
        strict_errors_of_workers: The shortfalls of the session's strict loads and constraints in pytest-xdist workers.
        no_child: Why this process has not gone on in a child, where a constraint needs that; empty otherwise.
        constraint_hooks: Constrains this process while its tests run; None where nothing is to be constrained.
        baseline: Saves the run or compares it with a baseline; None where neither is asked for.
        reports: A line for each report with its path, or the reason why it could not be written.
        messages: Lines to show before them: warnings of exporters, and a prediction.
        items: The tests that use a marker or a fixture of pytest-twin, or have a budget of the configuration.
        running: The tests that are running, rarely more than one, with their attempts; by the `id` of the test, since
            its hash takes longer.
        guard: Keeps internal errors from the tests.
    """

    def __init__(self, config: pytest.Config, settings: Settings, schedule: Schedule | None) -> None:
        self.config, self.settings, self.schedule = config, settings, schedule
        self.for_each_test = schedule if schedule is not None and schedule.is_for_each_test else None
        self.stress = config.stash.get(SESSION_STRESS, None)
        self.surroundings = twin.surroundings if (twin := config.stash.get(TWIN, None)) is not None else None
        self._first_test_s: float | None = None  # in the time of loads
        workerinput: dict[str, Any] = getattr(config, "workerinput", {})
        self.idle_cpu: float = workerinput.get("twin_idle_cpu", 0.0)
        self.idle_text = ""
        self.worker: str = workerinput.get("workerid", "")
        self.stack = ExitStack()
        self.remote_worker = (
            self.stack.enter_context(_connect_to_controller(workerinput)) if "twin_channel" in workerinput else None
        )
        if self.remote_worker is not None:
            self.clock, self.folder = self.remote_worker.clock, self.remote_worker.folder
        else:
            self.clock = Clock(*workerinput["twin_clock"]) if "twin_clock" in workerinput else new_clock()
            self.folder = RunFolder(config.invocation_params.dir / workerinput.get("twin_folder", settings.report_dir))
        self.dist_each: bool = workerinput.get("twin_dist_each", getattr(config.option, "dist", "no") == "each")
        self.locked_by: str = workerinput.get("twin_locked_by", "")
        self.recording: Recording | None = None
        self.worker_error = self.no_child = ""
        self.dropped_by_workers = 0
        self.errors_of_workers: list[str] = []
        self.notes_of_workers: list[str] = []
        self.strict_errors_of_workers: list[str] = []
        self.baseline: BaselineComparison | None = None
        self.reports: list[str] = []
        self.messages: list[str] = []
        self._prepared: Recording | None = None
        self._schedule_hooks: SessionScheduleHooks | None = None
        self.constraint_hooks: SessionConstraintHooks | None = None
        self.items: Sequence[pytest.Item] = ()
        self.running: dict[int, tuple[pytest.Item, RecordedAttempt]] = {}
        self.guard = ErrorGuard(self._note, passes=(TwinWarning,))

    @property
    def strict_error(self) -> str:
        """A line for each strict load of the session that achieved less than requested, and each failed constraint."""
        hooks = (self._schedule_hooks, self.constraint_hooks)
        own = [each.strict_error for each in hooks if each is not None]
        return "\n".join(filter(None, (*self.strict_errors_of_workers, *own)))

    @cached_property
    def tell(self) -> Callable[[str], None]:
        """Print a line on stderr, also while pytest captures the output of a test."""
        return _stderr_printer(self.config)

    @property
    def schedule_cut(self) -> str:
        """How much of the session's schedule was played, if not all of it; empty otherwise."""
        return self._schedule_hooks.cut if self._schedule_hooks is not None else ""

    def launch_sampler(self) -> None:
        """Start the process of the sampler, so that it is ready when the session begins to record.

        Raises:
            pytest.UsageError: The sampler does not start.
        """
        if (otlp := self.config.stash.get(OTLP, None)) is not None:
            otlp.launch()
        self._prepared = self._new_recording()
        self.stack.callback(self._prepared.cancel)  # there may be no test to run
        self.config.add_cleanup(self._cancel_unused_sampler)
        try:
            self._prepared.launch()
        except SamplerError as error:
            raise pytest.UsageError(str(error)) from None

    def _cancel_unused_sampler(self) -> None:
        """Stop the sampler of a session that has no end, as it did not start: a plugin has raised an error."""
        if self.recording is None:
            self.stack.close()

    def cancel_sampler(self) -> None:
        """Stop the process of the sampler; the recording starts another one."""
        if self._prepared is not None:
            self._prepared.cancel()
            self._prepared = None
        if (otlp := self.config.stash.get(OTLP, None)) is not None:
            otlp.cancel()

    def start(self) -> Recording:
        """Start the recording, if it has not started, and return it.

        Raises:
            pytest.UsageError: The report directory cannot be used, or the sampler does not start.
        """
        if self.locked_by:
            raise pytest.UsageError(f"{flag('report_dir')}: {self.locked_by}")
        if self.recording is None:
            recording = self._prepared or self._new_recording()
            recording.no_child = self.no_child or recording.no_child
            try:
                if (otlp := self.config.stash.get(OTLP, None)) is not None:
                    otlp.detach()
                    self.stack.callback(lambda: otlp.export(self.folder.path))  # when the recording has ended
                self.recording = self.stack.enter_context(recording)
                if self.remote_worker is not None:
                    self.remote_worker.request_recording(recording.abandon)
                self.find_listeners()
                if self.schedule is not None and not self.worker:
                    recording.write_schedule(self.schedule)
                if self.idle_text:
                    recording.note(self.idle_text, {"idle_cpu_percent": round(100 * self.idle_cpu, 1)})
            except (RunFolderError, SamplerError) as error:
                where = f"{flag('report_dir')}: " if isinstance(error, RunFolderError) else ""
                raise pytest.UsageError(f"{where}{error}") from None
            if (exporter := self.config.stash.get(EXPORTER, None)) is not None:
                exporter.begin(self.folder.path, self.clock.epoch)
                # it ends before the recording does: then the files of pytest-xdist workers are merged
                self.stack.callback(lambda: self.messages.extend(exporter.stop()))
            if (plan := self._session_schedule()) is not None:
                from pytest_twin.plugin.schedule_hooks import SessionScheduleHooks

                self._schedule_hooks = SessionScheduleHooks(plan.faster(self.settings.schedule_speed), recording)
                self.config.pluginmanager.register(self._schedule_hooks)
        return self.recording

    def expect(self, tests: int) -> None:
        """Export the number of tests that were collected, if the session is recorded and exported."""
        exporter = self.config.stash.get(EXPORTER, None)
        if exporter is not None and self.recording is not None:
            exporter.expect(tests)

    def _session_schedule(self) -> Schedule | None:
        """Return what of the session's schedule this process plays; None if nothing.

        Loads are played by one process of each host, constraints by each process that runs tests.
        """
        plan = self.schedule
        if plan is None or self.for_each_test is not None:
            return None
        plays_loads = self.remote_worker.samples if self.remote_worker is not None else not self.worker
        plan = self._without_idle(plan)
        if plan.has_constraints and (not plays_loads or has_workers(self.config)):
            return plan.only(constraints=not plays_loads)
        return plan if plays_loads else None

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
            tell=self.tell,
        )

    def _limit(self) -> Load | None:
        if not self.settings.limit:
            return None
        from pytest_twin.loads.validation import read_limit

        return read_limit(self.settings.limit)

    def start_supervisor(self, items: Iterable[pytest.Item]) -> None:
        """Start the supervisor before the first test, if any may need it: no test then has its process and thread."""
        if self.recording is None:
            return
        is_needed = self._schedule_hooks is not None or self.settings.profile or self.stress or self.surroundings
        if is_needed or any(needs_supervisor(item, self.for_each_test) for item in items):
            self.recording.start_supervisor()

    def schedule_around(self, item: pytest.Item, request: ItemRequest) -> Schedule | None:
        """Return the schedule to play around a test; None if there is none."""
        plan = request.schedule or self.for_each_test
        if self.surroundings is not None:
            from pytest_twin.plugin.like import schedule_around

            now = self.start().load_time()
            self._first_test_s = now if self._first_test_s is None else self._first_test_s
            plan = schedule_around(self.surroundings, nodeid_of(item), request, now - self._first_test_s)
        return self._without_idle(plan).faster(self.settings.schedule_speed) if plan is not None else None

    def measure_idle(self, items: Iterable[pytest.Item] = ()) -> None:
        """Measure what this machine does at idle, before its first test, and tell the user.

        In workers of pytest-xdist that cannot be known, since others may run tests: the controller measures it.
        """
        if self.worker or self.idle_text or self.recording is not None:
            return
        schedules = list(filter(None, (self.schedule, *(request_of(item).schedule for item in items))))
        if not schedules and self.surroundings is None:
            return
        from pytest_twin.plugin.idle_baseline import measure_baseline

        self.idle_cpu, self.idle_text = measure_baseline(schedules, self.surroundings)
        reporter = self.config.pluginmanager.get_plugin("terminalreporter")
        if self.idle_text and reporter is not None:
            reporter.write_line(f"twin: {self.idle_text}")

    def _without_idle(self, plan: Schedule) -> Schedule:
        if not self.idle_cpu:
            return plan
        from pytest_twin.loads.schedule.replay import without_idle

        return without_idle(plan, self.idle_cpu)

    def attempt_of(self, item: pytest.Item) -> RecordedAttempt:
        """Return the attempt of a test that is running; it begins here if the test is the first that is recorded."""
        if (running := self.running.get(id(item))) is not None:
            return running[1]
        attempt = self.begin_attempt(item)
        attempt.phase_outcomes["setup"] = PASSED  # so that each report is looked at: the hooks saw no phase begin
        return attempt

    def begin_phase(self, item: pytest.Item, phase: str) -> Borders:
        """Read the counters where a phase of a test begins, and return the list to append those of its end to."""
        try:
            return self.attempt_in(item, phase).begin_phase(phase)
        except Exception as error:
            if not self.guard.absorb(error):
                raise
            return []

    def attempt_in(self, item: pytest.Item, phase: str) -> RecordedAttempt:
        """Return the attempt of a test that begins a phase: a new one where a plugin runs that phase again."""
        running = self.running.get(id(item))
        attempt = running[1] if running is not None else self.begin_attempt(item)
        if phase not in attempt.borders:
            return attempt
        if "teardown" not in attempt.borders:
            attempt.finish()
        self.end_attempt(item, attempt)
        return self.begin_attempt(item)

    def begin_attempt(self, item: pytest.Item) -> RecordedAttempt:
        """Begin an attempt of a test."""
        stash, recording = item.stash, self.recording or self.start()
        number = stash[ATTEMPT_COUNT] + 1 if ATTEMPT_COUNT in stash else 1  # `Stash.get` raises, which is slower
        stash[ATTEMPT_COUNT] = number
        attempt = RecordedAttempt(recording, nodeid_of(item), number, is_repetition=REPETITION_LOAD in stash)
        self.running[id(item)] = item, attempt  # at once: an interrupt ends the attempts in here
        if HELD_LOAD in stash and (held := stash[HELD_LOAD]).adds_load:
            attempt.add_load(str(held.only(constraints=False)))
        return attempt

    def end_attempt(self, item: pytest.Item, attempt: RecordedAttempt) -> None:
        """Write the row of a test, and forget its attempt: pytest keeps the test itself to the end."""
        try:
            attempt.end(keep=self.keeps_folder_of(item, attempt))
        finally:
            del self.running[id(item)]
        if attempt.is_repetition:
            item.stash[LAST_REPETITION] = attempt

    def end_interrupted_attempts(self) -> None:
        """Write the row of each test that the end of the session interrupts, such as by Ctrl-C or ``pytest.exit``."""
        for item, attempt in list(self.running.values()):
            attempt.interrupt()
            with self.guard:
                attempt.finish()
                self.end_attempt(item, attempt)

    def keeps_folder_of(self, item: pytest.Item, attempt: RecordedAttempt) -> bool:
        """Return whether a test gets a folder of its own."""
        settings = self.settings
        is_between = settings.repeat is not None and item.stash.get(MORE_RUNS_FOLLOW, False)
        if (attempt.is_repetition or is_between) and attempt.outcome == "passed":
            return False
        if settings.per_test != "marked":
            return self.keeps_folder(attempt.outcome, is_marked=False)
        if attempt.is_over_budget(settings.inconclusive):
            return True
        if "call" not in attempt.borders:
            return uses_marker_or_fixture(item)
        return attempt.has_request or uses_fixture(item)

    def keeps_folder(self, outcome: str, is_marked: bool) -> bool:
        """Return the same by the outcome of a test, and by whether it uses the plugin."""
        wanted = self.settings.per_test
        return {"marked": is_marked, "all": True, "failed": outcome in BAD, "none": False}[wanted]

    def _note(self, text: str) -> None:
        """Write a note about the test that is running."""
        if self.recording is not None:
            self.recording.note(text, test=next((each.nodeid for _, each in self.running.values()), ""))

    def find_listeners(self) -> None:
        """Keep events for `publish_events` only if a plugin has a hook for them."""
        if self.recording is not None:
            self.recording.keeps_events = bool(self.config.hook.pytest_twin_event.get_hookimpls())

    def publish_events(self) -> None:
        """Call the hook ``pytest_twin_event`` of other plugins with the events since the last call."""
        if self.recording is not None and self.recording.keeps_events:
            for event in self.recording.take_events():
                self.config.hook.pytest_twin_event(event=event, config=self.config)


def _stderr_printer(config: pytest.Config) -> Callable[[str], None]:
    """Return a function that prints a line on stderr, although pytest captures the output of a test by then."""
    try:
        fd = os.dup(2)
    except OSError:  # it is closed
        return lambda _: None
    config.add_cleanup(lambda: _close(fd))
    return partial(say_on_stderr, fd=fd, begin="\n")


def _close(fd: int) -> None:
    try:
        os.close(fd)
    except OSError:  # a test has closed it
        pass


def _connect_to_controller(workerinput: Mapping[str, Any]) -> RemoteWorker:
    """Connect a worker on another host to its controller.

    Raises:
        pytest.UsageError: The controller cannot be reached.
    """
    from pytest_twin.remote.protocol import RemoteError
    from pytest_twin.remote.worker import RemoteWorker

    try:
        return RemoteWorker(workerinput["twin_channel"], workerinput["workerid"], workerinput["twin_host_timeout"])
    except (RemoteError, OSError) as error:
        raise pytest.UsageError(f"twin: {error}") from None
