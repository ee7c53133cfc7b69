"""A recording: sampler, supervisor and run folder held together for one run."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Container, Iterable, Iterator
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pytest_twin._system.child_process import ProcessContext
from pytest_twin._system.clock import monotonic
from pytest_twin._system.error_guard import ErrorGuard
from pytest_twin._system.response_timeout import say_on_stderr
from pytest_twin._system.stdlib import os, threading, time
from pytest_twin.loads.applied import stop_all
from pytest_twin.loads.supervisor_client import SupervisorClient
from pytest_twin.model import event
from pytest_twin.model.clock import Clock
from pytest_twin.model.event import Event, detail
from pytest_twin.recording.continuation import continued
from pytest_twin.recording.gaps import GapEvents
from pytest_twin.recording.load_events import load_events
from pytest_twin.run_folder.finalize import finalize
from pytest_twin.run_folder.folder import RunFolder
from pytest_twin.run_folder.layout import ANNOTATIONS, DATASET, FINGERPRINT, OTHER_WORKERS, SCHEDULE, TESTS
from pytest_twin.telemetry import probes
from pytest_twin.telemetry.fingerprint import fingerprint, usable
from pytest_twin.telemetry.process_counters import ProcessCounters
from pytest_twin.telemetry.sampler import SamplerClient, SamplerStats

if TYPE_CHECKING:
    from types import TracebackType

    from pytest_twin.loads.applied import AppliedLoad
    from pytest_twin.loads.schedule.schedule import Schedule
    from pytest_twin.loads.spec import Load, LoadPart
    from pytest_twin.run_folder.tables import RunTables
    from pytest_twin.stressors.spec.request import LoadRequest
    from pytest_twin.telemetry.sampler_config import SamplerConfig

SAMPLER_PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), "sampler_main.py")


def new_clock() -> Clock:
    """A clock that begins now."""
    return Clock(monotonic(), time.time())


class Recording:
    """One run: a context manager that samples, writes events, applies loads, and leaves nothing running.

    Attributes:
        folder: Where the files are.
        clock: The run's clock.
        dist_each: Whether each pytest-xdist worker runs all tests, and not its share of them.
        worker: The pytest-xdist worker that this process is, empty if it is none.
        host: What the host is called that this is on; empty for pytest's own.
        dataset: Where the samples of this host are.
        began_s: When it began by its clock, whose seconds may go on from those of an earlier recording.
        meter: What the kernel has counted for this process and its children.
        guard: Keeps errors of ours from the tests.
        sampled: What the sampler did, once the recording has ended.
        tables: The tables of the run, once the recording has ended and they could be completed.
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
    ) -> None:
        """Prepare it.

        Args:
            folder: Where the files go.
            sampling: How to sample; the clock, the probes and, where it is empty, the path are filled in.
            clock: The run's clock, if it has begun already.
            worker: The pytest-xdist worker that this process is: it writes parts of its own, and does not sample.
            host: What the host of that worker is called, where it is not pytest's own.
            samples: Whether that worker samples all the same; None is no for a worker.
            append: Go on behind the files that are there.
            limit: The most load that may be applied at the same time.
            dist_each: Whether each pytest-xdist worker runs all tests, and not its share of them.
            guard: Keeps errors of ours from the tests; None is one that nobody asks what it kept.
            tell: Tells the user a line, while a test may be running.
        """
        self.folder = folder
        self.dist_each = dist_each
        self.guard = guard or ErrorGuard(self.note)
        self.clock = clock or (continued(new_clock(), folder) if append else new_clock())
        self.began_s = self.elapsed()
        self.worker, self.host = worker, host
        self.dataset = Path(sampling.path) if sampling.path else folder / DATASET
        self._tell, self._surroundings = tell, ProcessContext.now()
        self._gaps = GapEvents(self.clock, self.new_id, self.emit)
        self._interval = sampling.interval
        self._append = append
        is_sampled = not worker if samples is None else samples
        self._sampler = self._new_sampler(sampling) if is_sampled else None
        self._limit = limit.parts if limit else ()
        self._supervisor = self._new_supervisor()
        self._ending = threading.Lock()
        self._process, self._fork = os.getpid(), ""
        self._owner = self._process
        self._incomplete: tuple[str, ...] = ()
        self.tables: RunTables | None = None
        self._numbers = count(1)
        self._unheard: deque[Event] = deque()
        self.meter = ProcessCounters(self._own)
        self._usable = usable()

    def __enter__(self) -> Self:
        self.launch()
        try:
            self._open()
            if self._sampler:
                self._sampler.begin()
                self.folder.write_json(FINGERPRINT, fingerprint())  # while it starts
                self._sampler.wait_ready()
        except BaseException:
            self.cancel()
            raise
        return self

    def _new_sampler(self, sampling: SamplerConfig) -> SamplerClient:
        config = sampling.replace(
            path=str(self.dataset), began=self.clock.began, epoch=self.clock.epoch,
            workers_dir=str(self.folder / OTHER_WORKERS) if self.worker else "", probes=probes.others(),
        )  # fmt: skip
        return SamplerClient(
            config, SAMPLER_PROGRAM, on_gap=self._gaps.unsampled, context=self._surroundings, tell=self._tell
        )

    def _new_supervisor(self) -> SupervisorClient:
        return SupervisorClient(
            self._told, self._gaps.paused, samples=str(self.dataset), limit=self._limit,
            # the controller, which a worker may outlive for some seconds
            owner=os.getppid() if self.worker and not self.host else None,
            surroundings=self._surroundings, directory=str(self.folder.path), tell=self._tell,
        )  # fmt: skip

    def _open(self) -> None:
        self.folder.make(claim=not self.worker)
        if not self.worker:
            (self.folder.go_on if self._append else self.folder.forget)()
            self.folder.mark()  # first, for a run that is killed in the next moment
        elif not self.host:
            self.folder.join()
        self._annotations = self.folder.table(ANNOTATIONS, self.worker)
        self._tests = self.folder.table(TESTS, self.worker)

    def launch(self) -> None:
        """Let the sampler come up while other things are done; nothing is recorded before the block begins.

        Raises:
            SamplerError: It cannot be started.
        """
        if self._sampler:
            self._sampler.launch()

    def cancel(self) -> None:
        """Stop the sampler, and let the folder go, if the block never began."""
        if self._sampler:
            self._sampler.stop()
        self.folder.release()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self.guard:
            self._stop()
        if self._sampler:
            for warning in self._sampler.sampled.warnings:
                self.note(f"sampler: {warning}")
        self._incomplete = (*self._lost(), *self._unwritten())
        self._annotations.close()
        self._tests.close()
        self.meter.close()
        if not self.worker:
            try:
                self.tables = finalize(self.folder, self._interval, dist_each=self.dist_each)
            except Exception as problem:  # noqa: BLE001 - every row is where it was written
                said = getattr(problem, "strerror", None) or problem
                self._incomplete += (f"the files could not be completed: {said}",)
        self.folder.release()

    def _unwritten(self) -> Iterable[str]:
        """Why rows could not be written."""
        problems = dict.fromkeys(filter(None, (self._annotations.problem, self._tests.problem)))
        return [f"rows cannot be written: {problem}" for problem in problems]

    def _lost(self) -> tuple[str, ...]:
        """What is to be told of files that a test, or somebody else, removed while the run went on."""
        found = {ANNOTATIONS: self._annotations.is_in_place, TESTS: self._tests.is_in_place}
        if self._sampler and self._sampler.sampled.rows:
            found[DATASET] = self.dataset.exists()
        lost = [name for name, is_there in found.items() if not is_there]
        return (f"moved or removed while the run went on, with all rows: {', '.join(lost)}",) if lost else ()

    def abandon(self, why: str) -> None:
        """Stop all that runs, and let nothing start any more; the block goes on, and nobody is there for its rows.

        Args:
            why: Told of loads that are asked for from now on.
        """
        self._supervisor.disable(why)
        self._stop()

    def _stop(self) -> None:
        with self._ending:
            self._supervisor.close()
            if self._sampler:
                self._sampler.stop()

    @property
    def sampled(self) -> SamplerStats:
        """What the sampler did; among its warnings, what kept the files from being completed."""
        sampled = self._sampler.sampled if self._sampler else SamplerStats()
        return sampled.and_then(SamplerStats(warnings=self._incomplete))

    @property
    def is_forked(self) -> bool:
        """Whether this process is a fork of the one that records: it may add to the run, but the run is not its own."""
        return self._owner != os.getpid()

    @property
    def dropped(self) -> int:
        """Rows that could not be written, samples not counted."""
        return self._annotations.dropped + self._tests.dropped

    def elapsed(self) -> float:
        """Seconds since the run began."""
        return self.clock.elapsed(monotonic())

    def heard(self) -> list[Event]:
        """The events since the last call, each once."""
        return [self._unheard.popleft() for _ in range(len(self._unheard))] if self._unheard else []

    def emit(self, happened: Event) -> None:
        """Write an event."""
        if self.worker:
            happened = happened._replace(worker=self.worker, host=self.host)
        self._annotations.append(happened.row(self.clock))
        self._unheard.append(happened)

    def note(self, text: str, fields: dict[str, Any] | None = None, *, test: str = "") -> None:
        """Write a note."""
        self.emit(Event(self.elapsed(), event.NOTE, test=test, detail=detail(text, fields)))

    @contextmanager
    def phase(self, name: str, *, test: str = "") -> Iterator[None]:
        """Mark a stretch of time with a name."""
        number = self.new_id("p")
        self.emit(Event(self.elapsed(), event.START, number, event.PHASE, test, detail=name))
        try:
            yield
        finally:
            self.emit(Event(self.elapsed(), event.END, number, event.PHASE, test, detail=name))

    def new_id(self, letter: str) -> str:
        """A name that no other event of the run has."""
        if self._process != os.getpid():
            self._begin_fork()
        return f"{self.worker}{'-' if self.worker else ''}{self._fork}{letter}{next(self._numbers)}"

    def _begin_fork(self) -> None:
        """Go on in a fork, as pytest-forked makes one for each test: supervisor and counters are of the other one."""
        self._process = os.getpid()
        self._fork = f"f{self._process}-"
        self._supervisor, self.meter = self._new_supervisor(), ProcessCounters(self._own)

    def apply(
        self, part: LoadPart, request: LoadRequest | None = None, *, test: str = "", note: str = ""
    ) -> AppliedLoad:
        """Ask for one kind of load, now and until it is stopped unless the request has other times."""
        request = request or part.request(self.new_id("l"))  # first: a fork gets a supervisor of its own here
        return self._supervisor.apply(part, request, test=test, note=note)

    def get_ready_for_loads(self) -> None:
        """Have the supervisor up: the first load does not wait for its start, and nothing appears while a test runs."""
        with suppress(Exception):  # the loads will tell
            self._supervisor.start()

    def hurry(self) -> None:
        """From now on wait for nobody who does not answer: the run was interrupted."""
        self._supervisor.hurry()
        if self._sampler:
            self._sampler.hurry()

    def now_for_loads(self) -> float:
        """The time of loads, which stands still while they are paused."""
        return self._supervisor.now()

    def pause(self, reason: str) -> None:
        """Let all loads rest, and their time stand still, until `resume` with the same reason."""
        self._supervisor.pause(reason)

    def resume(self, reason: str) -> None:
        """Let them go on."""
        self._supervisor.resume(reason)

    @contextmanager
    def loaded(self, load: Load, *, test: str = "") -> Iterator[list[AppliedLoad]]:
        """Keep a load around a block, which begins when all of it is really there."""
        named = {self.new_id("l"): part for part in load.parts}
        try:
            applied = [self.apply(part, part.request(name), test=test) for name, part in named.items()]
            for each in applied:
                each.wait_ready()
            yield applied
        except KeyboardInterrupt:
            self.hurry()
            raise
        finally:
            try:  # by their names: an interrupt may have come when only some had been asked for
                stop_all(self._running(named))
            except BaseException:  # such as Ctrl-C in this very moment: once more, but nobody waits
                for each in self._running(named):
                    each.ask_to_stop()
                raise

    def _running(self, names: Container[str]) -> list[AppliedLoad]:
        return [each for each in self._supervisor.running if each.id in names]

    def write_schedule(self, schedule: Schedule) -> None:
        """Keep the schedule of the run, as it was resolved."""
        self.folder.write_text(SCHEDULE, schedule.text())

    def skipped(
        self, number: str, kind: str, target: str, reason: str, *, test: str = "", loads: int = 1
    ) -> None:  # fmt: skip
        """Write that something planned was not reached: one load, or so many of a kind."""
        said = detail("", {"reason": reason, event.LOADS: loads}) if loads > 1 else reason
        self.emit(Event(self.elapsed(), event.SKIP, number, kind, test, target=target, detail=said))

    def _own(self) -> tuple[int | None, int | None]:
        """The children of this process that are ours."""
        return self._sampler.pid if self._sampler else None, self._supervisor.pid

    def write_test(self, row: str) -> None:
        """Write a row of tests.csv."""
        self._tests.append(row)

    def _told(self, applied: AppliedLoad, reply: dict[str, Any]) -> None:
        with self.guard:  # who listens to the supervisor goes on
            for happened in load_events(applied, reply, self.clock, self._usable):
                applied.achieved_text = happened.achieved  # before whoever waits for its end reads it
                self.emit(happened)
