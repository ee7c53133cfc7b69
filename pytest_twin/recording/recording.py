"""Record one run: the sampler, the supervisor and the run folder together."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pytest_twin._system.child_process import ProcessContext
from pytest_twin._system.clock import monotonic
from pytest_twin._system.descriptor import DescriptorGroup
from pytest_twin._system.error_guard import ErrorGuard
from pytest_twin._system.response_timeout import say_on_stderr
from pytest_twin._system.stdlib import os, threading, time
from pytest_twin.analysis.run.overview import RunOverview, SuiteFigures
from pytest_twin.model import event
from pytest_twin.model.clock import Clock
from pytest_twin.model.csv_text import cell
from pytest_twin.model.event import Event, detail
from pytest_twin.recording.constraints import HeldConstraints
from pytest_twin.recording.gaps import GapEvents
from pytest_twin.run_folder.finalize import finalize
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import (
    ANNOTATIONS,
    CONSTRAINTS,
    DATASET,
    FINGERPRINT,
    OTHER_WORKERS,
    SCHEDULE,
    TESTS,
)
from pytest_twin.telemetry import probes
from pytest_twin.telemetry.fingerprint import take_fingerprint, usable_amounts
from pytest_twin.telemetry.process_counters import ProcessCounters
from pytest_twin.telemetry.sampler import SamplerClient, SamplerStats

if TYPE_CHECKING:
    from types import TracebackType

    from pytest_twin.loads.applied import AppliedLoad
    from pytest_twin.loads.schedule.schedule import Schedule
    from pytest_twin.loads.spec import Load, LoadPart
    from pytest_twin.loads.supervisor_client import SupervisorClient
    from pytest_twin.stressors.spec.request import LoadRequest
    from pytest_twin.telemetry.sampler_config import SamplerConfig

REUSABLE = {"cpu", "period", "cpus"}  # parts of a constraint that can be lifted while nothing is undone
SAMPLER_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sampler_main.py")


def new_clock() -> Clock:
    """Return a clock that begins now.

    Of several readings of the two clocks the fastest counts: between those of another one this process may have waited
    for a CPU, and every time stamp of the run would be late by that.
    """
    readings = ((monotonic(), time.time(), monotonic()) for _ in range(3))
    began, epoch, _ = min(readings, key=lambda reading: reading[2] - reading[0])
    return Clock(began, epoch)


def _continued_clock(folder: RunFolder) -> Clock:
    """Return a clock that goes on where that of an earlier recording has stopped."""
    from pytest_twin.recording.continuation import continue_clock

    return continue_clock(new_clock(), folder)


class Recording:
    """The recording of one run: a context manager that samples, writes events, applies loads, and stops all processes.

    Attributes:
        folder: The run folder.
        clock: The clock of the run.
        dist_each: Whether each pytest-xdist worker runs all tests, and not its share of them.
        worker: The name of the pytest-xdist worker that this process is; empty for any other process.
        host: The name of this host in the run; empty for the host of pytest's main process.
        dataset: The file with the samples of this host.
        began_s: The time of its clock when it began; more than 0 if it appends to an earlier recording.
        process_counters: The kernel's counters of this process and its children.
        constraints: The constraints that this process is under.
        guard: Keeps internal errors from the tests.
        keeps_events: Whether events are kept for `take_events`.
        place: The worker and the host as cells of a row.
        no_child: Why pytest has not gone on in a child, for whose stops no shell would wait.
        sampler_stats: Counts and warnings of the sampler, complete once the recording has ended.
        overview: The figures for the terminal, once the recording has ended and its files could be completed.
    """

    def __init__(
        self,
        folder: RunFolder,
        sampling: SamplerConfig,
        *,
        clock: Clock | None = None,
        worker: str = "",
        host: str = "",
        samples: bool | None = None,
        append: bool = False,
        limit: Load | None = None,
        dist_each: bool = False,
        guard: ErrorGuard | None = None,
        tell: Callable[[str], None] = say_on_stderr,
        before_sampling: Callable[[Recording], None] = lambda _: None,
    ) -> None:
        """Prepare it.

        Args:
            folder: The run folder.
            sampling: How to sample; the clock, the probes and, where it is empty, the path are filled in.
            clock: The clock of the run; None begins a new one.
            worker: The name of the pytest-xdist worker that this process is; it writes part files of its own.
            host: The name of this host in the run, where it is another one than that of pytest's main process.
            samples: Whether to start a sampler; None starts one unless this process is a worker.
            append: Append to the files of an earlier recording.
            limit: The maximum total load; None is no limit.
            dist_each: Whether each pytest-xdist worker runs all tests, and not its share of them.
            guard: Keeps internal errors from the tests; None makes a new one.
            tell: Prints a line for the user, also while a test is running.
            before_sampling: Called when loads can be applied, right before the interval of the first sample begins.
        """
        self.folder = folder
        self.dist_each = dist_each
        self.guard = guard or ErrorGuard(self.note)
        self.clock = clock or (_continued_clock(folder) if append else new_clock())
        self.began_s = self.elapsed()
        self.worker, self.host = worker, host
        self.dataset = Path(sampling.path) if sampling.path else folder / DATASET
        self.constraints = HeldConstraints(str(self.dataset.with_name(CONSTRAINTS)))
        self._tell, self._context = tell, ProcessContext()
        self._before_sampling = before_sampling
        self._gaps = GapEvents(self.clock, self.new_id, self.emit)
        self._interval = sampling.interval
        self._append = append
        is_sampled = not worker if samples is None else samples
        self._sampler = self._new_sampler(sampling) if is_sampled else None
        self._limit = limit.parts if limit else ()
        self._supervisor_client: SupervisorClient | None = None
        self._supervisor_lock, self._stop_lock = threading.Lock(), threading.Lock()
        self._process, self._id_prefix = os.getpid(), f"{worker}-" if worker else ""
        self._owner = self._process
        self._problems: tuple[str, ...] = ()
        self._usable: dict[str, float] = {}  # known once there may be a load
        self.no_child = "it has children, such as the sampler"
        self.overview: RunOverview | None = None
        self._numbers = count(1)
        self.keeps_events, self.place = True, f"{cell(worker)},{cell(host)}"
        self._new_events: deque[Event] = deque()
        self.process_counters = ProcessCounters(self._own_children)

    def __enter__(self) -> Self:
        self.launch()
        try:
            self._open()
            self._before_sampling(self)
            if self._sampler:
                self._sampler.begin()
                self.folder.write_json(FINGERPRINT, take_fingerprint())  # while it starts
                self._sampler.wait_ready()
        except BaseException:
            self._close_supervisor()
            self.cancel()
            raise
        return self

    def _new_sampler(self, sampling: SamplerConfig) -> SamplerClient:
        config = sampling.replace(
            path=str(self.dataset), began=self.clock.began, epoch=self.clock.epoch,
            workers_dir=str(self.folder / OTHER_WORKERS) if self.worker else "",
            constraints_dir=str(self.dataset.with_name(CONSTRAINTS)), probes=probes.external_module_names(),
        )  # fmt: skip
        return SamplerClient(
            config, SAMPLER_PROGRAM, on_gap=self._gaps.on_sampling_gap, context=self._context, tell=self._tell
        )

    @property
    def _supervisor(self) -> SupervisorClient:
        """The client of the supervisor, made when it is first needed: most sessions apply no load."""
        with self._supervisor_lock:
            if self._supervisor_client is None:
                self._supervisor_client = self._new_supervisor()
            return self._supervisor_client

    def _close_supervisor(self) -> None:
        if self._supervisor_client is not None:
            self._supervisor_client.close()

    def _new_supervisor(self) -> SupervisorClient:
        from pytest_twin.loads.supervisor_client import SupervisorClient

        self._usable = self._usable or usable_amounts()  # before it holds a constraint
        return SupervisorClient(
            self._on_load_reply, self._gaps.on_pause_reply, samples=str(self.dataset), limit=self._limit,
            # the controller of pytest-xdist: its worker may outlive it for some seconds
            owner=os.getppid() if self.worker and not self.host else None,
            context=self._context, directory=str(self.folder.path), tell=self._tell,
        )  # fmt: skip

    def _open(self) -> None:
        self.folder.make(claim=not self.worker)
        if not self.worker:
            (self.folder.prepare_append if self._append else self.folder.clear)()
            self.folder.mark()  # first, for a run that is killed in the next moment
        elif not self.host:
            self.folder.join()
        self._annotations = self.folder.table(ANNOTATIONS, self.worker)
        self._tests = self.folder.table(TESTS, self.worker)
        self._find_files()

    def _find_files(self) -> None:
        own, counters = (self._annotations.descriptor, self._tests.descriptor), self.process_counters.files.members
        self._files = DescriptorGroup([*own, *counters])

    def launch(self) -> None:
        """Start the process of the sampler, so that it is ready sooner; nothing is recorded before the block begins.

        Raises:
            SamplerError: It cannot be started.
        """
        if self._sampler:
            self._sampler.launch()

    def cancel(self) -> None:
        """Stop the sampler and release the folder, if the block never began."""
        if self._sampler:
            self._sampler.stop()
        self.folder.release()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self.guard:
            self._stop()
        if self._sampler:
            for warning in self._sampler.stats.warnings:
                self.note(f"sampler: {warning}")
        self._problems = (*self._lost_files(), *self._write_errors())
        self._annotations.close()
        self._tests.close()
        self.process_counters.close()
        if not self.worker:
            try:
                tests = SuiteFigures()
                events = finalize(self.folder, self._interval, tests.add, dist_each=self.dist_each)
                self.overview = RunOverview(events, tests)
            except Exception as failure:  # noqa: BLE001 - no row is lost by it
                reason = getattr(failure, "strerror", None) or failure
                self._problems += (f"the files could not be completed: {reason}",)
        self.folder.release()

    def _write_errors(self) -> Iterable[str]:
        problems = dict.fromkeys(filter(None, (self._annotations.problem, self._tests.problem)))
        return [f"rows cannot be written: {problem}" for problem in problems]

    def _lost_files(self) -> tuple[str, ...]:
        """Return a warning about files that a test, or another process, removed during the run."""
        found = {ANNOTATIONS: self._annotations.is_in_place, TESTS: self._tests.is_in_place}
        if self._sampler and self._sampler.stats.rows:
            found[DATASET] = self.dataset.exists()
        lost = [name for name, is_there in found.items() if not is_there]
        return (f"moved or removed during the run, with all rows: {', '.join(lost)}",) if lost else ()

    def abandon(self, why: str) -> None:
        """Stop the sampler and all loads, and start none any more, while the block goes on.

        Args:
            why: The reason with which later loads fail.
        """
        self._supervisor.disable(why)
        self._stop()

    def _stop(self) -> None:
        with self._stop_lock:
            self._close_supervisor()
            if self._sampler:
                self._sampler.stop()

    @property
    def sampler_stats(self) -> SamplerStats:
        """Counts and warnings of the sampler; its warnings include the problems with the files."""
        sampled = self._sampler.stats if self._sampler else SamplerStats()
        return sampled.plus(SamplerStats(warnings=self._problems))

    @property
    def is_forked(self) -> bool:
        """Whether this process is a fork of the one that records: it may write rows, but not end the run."""
        return self._owner != os.getpid()

    @property
    def dropped(self) -> int:
        """The number of rows that could not be written, without samples."""
        return self._annotations.dropped + self._tests.dropped

    def elapsed(self) -> float:
        """Return the seconds since the run began."""
        return monotonic() - self.clock.began

    def take_events(self) -> list[Event]:
        """Return the events since the last call."""
        taken = []
        while self._new_events:
            taken.append(self._new_events.popleft())
        return taken

    def emit(self, new: Event) -> None:
        """Write an event."""
        if self.worker:
            new = new._replace(worker=self.worker, host=self.host)
        self._annotations.append(new.row(self.clock))
        if self.keeps_events:
            self._new_events.append(new)

    def reopen_files(self) -> None:
        """Reopen the files that a test has closed, before its figures are read and its rows are written."""
        self._files.reopen_lost()

    def emit_test(
        self, what: str, name: str, nodeid: str, nodeid_cell: str, elapsed_s: float, stamp: str, outcome: str = ""
    ) -> None:
        """Write the start or the end of a test; most events are of these, so they are formatted faster than others.

        The files have to be open, as they are after `reopen_files`.

        Args:
            what: `event.START` or `event.END`.
            name: The id that pairs both.
            nodeid: The node ID of the test.
            nodeid_cell: The same as a cell of a row.
            elapsed_s: The time since the run began.
            stamp: The same as a time stamp.
            outcome: The outcome of the test, at its end.
        """
        # the text is that of `Event.row`
        line = f"{stamp},{elapsed_s:.4f},{what},{name},{event.TEST},{nodeid_cell},{self.place},,,{outcome}\n"
        self._annotations.append_between_tests(line)
        if self.keeps_events:
            new = Event(elapsed_s, what, name, event.TEST, nodeid, self.worker, self.host, detail=outcome)
            self._new_events.append(new)

    def note(self, text: str, fields: dict[str, Any] | None = None, *, test: str = "") -> None:
        """Write a note."""
        self.emit(Event(self.elapsed(), event.NOTE, test=test, detail=detail(text, fields)))

    @contextmanager
    def phase(self, name: str, *, test: str = "") -> Iterator[None]:
        """Write the start and the end of the block as a phase of this name."""
        number = self.new_id("p")
        self.emit(Event(self.elapsed(), event.START, number, event.PHASE, test, detail=name))
        try:
            yield
        finally:
            self.emit(Event(self.elapsed(), event.END, number, event.PHASE, test, detail=name))

    def new_id(self, letter: str) -> str:
        """Return an id that no other event of the run has, with this letter in it."""
        if self._process != os.getpid():
            self._begin_fork()
        return f"{self._id_prefix}{letter}{next(self._numbers)}"

    def _begin_fork(self) -> None:
        """Take a supervisor and counters of its own in a fork, such as pytest-forked makes for each test."""
        self._process = os.getpid()
        self._id_prefix = f"{self.worker}{'-' if self.worker else ''}f{self._process}-"
        self._supervisor_client, self.process_counters = None, ProcessCounters(self._own_children)
        self._supervisor_lock = threading.Lock()  # another thread may have held it when this process was forked
        self._find_files()

    def apply(
        self, part: LoadPart, request: LoadRequest | None = None, *, test: str = "", note: str = "", again: bool = False
    ) -> AppliedLoad:
        """Ask for one kind of load: at once and until it is stopped, unless the request has other times.

        A constraint is for this process and its children, without the sampler and the supervisor, unless the request
        names another process.

        Args:
            part: The load.
            request: The request for it; by default until it is stopped.
            test: The test it belongs to.
            note: Free text for its rows.
            again: Whether the same load may follow, so that what enforces a constraint is kept until then.
        """
        request = request or part.request(self.new_id("l"))  # first: a fork gets a supervisor of its own here
        if part.is_constraint:
            self.start_supervisor()  # it must not be constrained itself
            own = {"pid": os.getpid(), "outside": self.own_children, "no_child": self.no_child}
            own["reuse"] = again and not self.worker and REUSABLE.issuperset(part.options)
            request = request.with_options(**{**own, **request.options})
        return self._supervisor.apply(part, request, test=test, note=note)

    def start_supervisor(self) -> None:
        """Start the supervisor, so that the first load need not wait for it, and no process appears during a test."""
        with suppress(Exception):  # the loads will report it
            self._supervisor.start()

    def hurry(self) -> None:
        """Wait only briefly for processes that do not respond from now on: the run was interrupted."""
        if self._supervisor_client is not None:
            self._supervisor_client.hurry()
        if self._sampler:
            self._sampler.hurry()

    def load_time(self) -> float:
        """Return the time of loads, which stands still while they are paused."""
        return self._supervisor_client.now() if self._supervisor_client is not None else monotonic()

    def pause(self, reason: str) -> None:
        """Pause all loads, and their time, until `resume` is called with the same reason."""
        self._supervisor.pause(reason)

    def resume(self, reason: str) -> None:
        """Resume the loads that were paused for this reason."""
        self._supervisor.resume(reason)

    @contextmanager
    def under_load(self, load: Load, *, test: str = "") -> Iterator[list[AppliedLoad]]:
        """Apply a load for the time of a block, which begins when the whole load is ready."""
        from pytest_twin.loads.applied import stop_all

        named = {self.new_id("l"): part for part in load.parts}
        try:
            applied: list[AppliedLoad] = []
            for name, part in named.items():
                if part.is_constraint:  # it would make this process slow to see that the loads are ready
                    _wait_ready(applied)
                applied.append(self.apply(part, part.request(name), test=test, again=True))
            _wait_ready(applied)
            yield applied
        except KeyboardInterrupt:
            self.hurry()
            raise
        finally:
            try:  # by their ids: an interrupt may have come when only some had been asked for
                stop_all(self._running(named))
            except BaseException:  # such as Ctrl-C at this moment: ask once more, but do not wait
                for each in self._running(named):
                    each.ask_to_stop()
                raise

    def _running(self, ids: Container[str]) -> list[AppliedLoad]:
        return [each for each in self._supervisor.running if each.id in ids]

    def write_schedule(self, schedule: Schedule) -> None:
        """Write the resolved schedule of the run into its folder."""
        self.folder.write_text(SCHEDULE, schedule.text(str(self.folder.path)))

    def write_skip(
        self, number: str, kind: str, target: str, reason: str, *, test: str = "", loads: int = 1
    ) -> None:  # fmt: skip
        """Write that a planned load was not reached, or a number of loads of the same type."""
        text = detail("", {"reason": reason, event.LOADS: loads}) if loads > 1 else reason
        self.emit(Event(self.elapsed(), event.SKIP, number, kind, test, target=target, detail=text))

    @property
    def own_children(self) -> list[int]:
        """The ids of the sampler and the supervisor, as far as they run."""
        return [pid for pid in self._own_children() if pid is not None]

    def _own_children(self) -> tuple[int | None, int | None]:
        """Return the ids of our own child processes, which do not count as the tests'."""
        supervisor = self._supervisor_client
        return self._sampler.pid if self._sampler else None, supervisor.pid if supervisor is not None else None

    def write_test(self, row: str) -> None:
        """Write a row of tests.csv, which has to be open, as it is after `reopen_files`."""
        self._tests.append_between_tests(row)

    def _on_load_reply(self, applied: AppliedLoad, reply: dict[str, Any]) -> None:
        from pytest_twin.recording.load_events import load_events

        with self.guard:  # the thread that reads the replies must go on
            if applied.part.is_constraint:
                self.constraints.on_reply(applied, reply)
            for each in load_events(applied, reply, self.clock, self._usable):
                applied.achieved_text = each.achieved  # before the thread that waits for its end reads it
                self.emit(each)


def _wait_ready(loads: Iterable[AppliedLoad]) -> None:
    for each in loads:
        each.wait_ready()
