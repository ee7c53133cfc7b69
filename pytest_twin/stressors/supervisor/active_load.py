"""One load from request to end: its workers, and what they achieved."""

from __future__ import annotations

import json
import time
from functools import partial
from importlib import import_module

from pytest_twin.stressors.supervisor.load_judge import SILENT_S, LoadJudge, WorkerRecord, doing
from pytest_twin.stressors.supervisor.stop_conditions import met
from pytest_twin.stressors.system.capacity import oom_kills
from pytest_twin.stressors.system.parent import process_state
from pytest_twin.stressors.worker import process
from pytest_twin.stressors.worker.job import REPORT_EVERY_S, Job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from pytest_twin.stressors.spec.request import LoadRequest
    from pytest_twin.stressors.supervisor.event_loop import EventLoop

    Figures = dict[str, float | str]

    class LoadOwner(Protocol):
        """What a load asks of its owner and reports to it; `LoadManager` is one."""

        loop: EventLoop

        def check(self, load: ActiveLoad) -> None:
            """Raise ValueError if the load would exceed a limit."""

        def admit(self, count: int) -> None:
            """Reserve worker processes; raise ValueError if there would be too many."""

        def acquire_worker(self) -> process.ForkedWorker | process.SpawnedWorker:
            """Return a worker process that waits for its load; raise OSError if there can be no more processes."""
            ...

        def sample(self) -> dict[str, str]:
            """Return the latest sample by column."""
            ...

        def report(self, load: ActiveLoad, event: str, **fields: Any) -> None:
            """Reply with an event of the load."""

        def on_finished(self, load: ActiveLoad) -> None:
            """Forget a load that has ended."""


KILL_AFTER_S = 1.0
GIVE_UP_AFTER_S = 1.0  # after it was killed: the kernel lets nobody end who waits for a disk that stalls
LOOK_EVERY_S = 0.1
WATCH_EVERY_S = 0.25


class ActiveLoad:
    """One load: its workers, and what they achieved.

    Attributes:
        name: Its id.
        size: How many workers it has, 0 before it was started.
    """

    def __init__(self, request: LoadRequest, owner: LoadOwner) -> None:
        self.name = request.id
        self._request = request
        self._owner, self._loop = owner, owner.loop
        self._workers: list[WorkerHandle] = []
        self.size = 0
        self._waiting_for = 0
        self._began: float | None = None
        self._gone = False
        self._since: float | None = None
        self._held_since = 0.0  # the same, in the time of loads
        self._held_until: float | None = None
        self._paused_before = 0.0
        self._ending = ""  # why, once it is ending
        self._fault = ""
        self._figures: list[Figures] = []
        self._judge: LoadJudge | None = None
        self._oom_kills: int | None = None
        self._conditions = request.stop_when

    @property
    def is_applied(self) -> bool:
        """Whether its workers were started, or are being started."""
        return self.size > 0

    @property
    def module(self) -> str:
        """What applies it."""
        return self._request.module

    def demand(self) -> float:
        """The most that it asks for, in the unit of its stressor; raises what `start` tells of."""
        return demand(self._request)

    def start(self) -> None:
        """Start the workers; the load is ready when all of them are."""
        if self._ending:
            return
        self._paused_before = self._loop.paused_s
        try:
            self._check_time()
            self._owner.check(self)
            self._check_conditions()
            module = import_module(self._request.module)
            self._judge = LoadJudge(self._request)
            count = module.workers(Job(self._request))
            self._owner.admit(count)
        except (ImportError, OSError, ValueError) as error:
            self._fail(f"cannot start: {error}")
            self._finish()
            return
        self.size = self._waiting_for = count
        self._oom_kills = oom_kills()
        if self._request.start is not None:
            self._end_after(self._request.start)
        if self._conditions:
            self._loop.after(LOOK_EVERY_S, self._look)
        self._start_workers()

    def stop(self, reason: str) -> None:
        """Ask the workers to stop, and see to it that they do."""
        if self._ending or self._gone:
            return
        self._ending, self._held_until = reason, self._loop.now()
        if not self._workers:
            self._finish()
            return
        if self._began is None:  # they wait for their load, and would not hear
            self.kill()
            return
        for worker in self._workers:
            worker.process.stop()
        self._loop.after(KILL_AFTER_S, self.kill)

    def kill(self) -> None:
        """Have the system end the workers."""
        for worker in self._workers:
            worker.process.kill()
        self._loop.after(GIVE_UP_AFTER_S, self._give_up)

    def pause(self) -> None:
        """Have the workers do nothing."""
        for worker in self._workers:
            worker.process.pause()

    def resume(self) -> None:
        """Have them go on."""
        for worker in self._workers:
            worker.process.resume()

    def went_on(self, seconds: float) -> bool:
        """Whether a worker has reported in the seconds that are just over, and all of it was heard at once."""
        return any(worker.heard_at_once > 1 + seconds / (2 * REPORT_EVERY_S) for worker in self._workers)

    def achieved(self) -> Figures:
        """What the workers told so far, numbers added up and words kept; and how much of its time it was there."""
        total: Figures = {}
        for figures in (*self._figures, *(worker.achieved for worker in self._workers)):
            for name, value in figures.items():
                before = total.get(name, 0)
                is_sum = not isinstance(value, str) and not isinstance(before, str)
                total[name] = before + value if is_sum else value  # type: ignore[operator]
        if self._judge is not None and self._since is not None:
            total |= self._judge.figures(self._held())
        duration = self._request.duration
        if duration and self._since is not None:
            total["coverage"] = min(1.0, self._held() / duration)
        return total

    def _held(self) -> float:
        if self._since is None:
            return 0.0
        return (self._loop.now() if self._held_until is None else self._held_until) - self._held_since

    def _check_time(self) -> None:
        start, duration = self._request.start, self._request.duration
        if start is not None and duration is not None and self._loop.now() >= start + duration:
            raise ValueError("its time was over before there was a moment to start it")

    def _start_workers(self) -> None:
        """Get one more worker; all of them are had first, so that none hinders the start of the others."""
        if self._ending:
            return
        try:
            process = self._owner.acquire_worker()
        except OSError as error:
            self._fail(f"cannot start: {error}")
            if not self._workers:
                self._finish()
            return
        worker = WorkerHandle(process, f"worker {len(self._workers) + 1} of {self.size}")
        self._workers.append(worker)
        self._loop.watch(process.reports, partial(self._hear, worker))
        if len(self._workers) < self.size:
            self._loop.after(0.0, self._start_workers)
        else:
            self._loop.when_idle(self._begin)  # other loads may want workers too

    def _begin(self) -> None:
        """Have the workers begin."""
        if self._ending:
            return
        self._began = time.monotonic()
        if self._judge is not None:
            self._judge.records = [worker.record for worker in self._workers]
        for index, worker in enumerate(self._workers):
            worker.process.begin(self._request, index, self.size)
        if self._loop.is_paused:
            self.pause()

    def _hear(self, worker: WorkerHandle, data: bytes) -> None:
        if not data:
            self._on_worker_exit(worker)
            return
        worker.record.heard_at = self._loop.now()
        worker.unread += data
        *lines, worker.unread = worker.unread.split(b"\n")
        worker.heard_at_once = len(lines)
        for line in lines:
            message = json.loads(line)
            if "ready" in message:
                worker.record.piece = message.get("piece", 0.0)
                self._on_worker_ready(message["ready"])
            elif "fault" in message:
                self._fail(message["fault"])
            elif "achieved" in message:
                worker.achieved = message["achieved"]
                if self._judge is not None:
                    self._judge.hear(worker.record, worker.achieved, self._held())

    def _on_worker_ready(self, at: float) -> None:
        """Let the time of the load begin when all workers are ready; one alone does not wait for that word."""
        self._waiting_for -= 1
        if self._waiting_for or self._ending:
            return
        if self.size > 1:
            at = time.monotonic()
            for worker in self._workers:
                worker.process.all_ready(at)
        self._since, self._held_since = at, min(self._loop.now(), at - self._loop.paused_s)
        self._watch(self._held_since)
        pids = [worker.process.pid for worker in self._workers]
        self._owner.report(self, "ready", at=at, pids=pids)
        if self._request.start is None:
            self._end_after(self._held_since)

    def _end_after(self, begin: float) -> None:
        """A load by itself lasts from when it is there; one of a schedule ends when it was planned to."""
        if self._request.duration is not None:
            self._loop.at(begin + self._request.duration, lambda: self.stop("duration"))

    def _watch(self, due: float) -> None:
        """See that every worker is heard of and gets on, and again soon.

        Args:
            due: When this should have been done: who comes much later was stopped itself, and has heard of nobody.
        """
        if self._ending or self._gone or self._judge is None:
            return
        now, held = self._loop.now(), self._held()
        was_stopped = now - due > SILENT_S / 2
        for worker in self._workers:
            if was_stopped:
                worker.record.heard_at, worker.record.changed_at = now, held
            elif how := self._judge.stuck(worker.record, now, held):
                self._fail(f"{worker.name} {how}")
                return
        self._loop.at(now + WATCH_EVERY_S, partial(self._watch, now + WATCH_EVERY_S))

    def _look(self) -> None:
        """Stop it if the samples say so, and look again soon."""
        if self._ending or self._gone:
            return
        try:
            self._check_conditions()
        except ValueError as error:
            self._fail(str(error))
        else:
            self._loop.after(LOOK_EVERY_S, self._look)

    def _check_conditions(self) -> None:
        if self._conditions and (reason := met(self._conditions, self._owner.sample())):
            raise ValueError(reason)

    def _on_worker_exit(self, worker: WorkerHandle) -> None:
        how = worker.process.reap()
        if self._gone:  # it was given up
            return
        self._workers.remove(worker)
        self._figures.append(worker.achieved)
        if how and not self._ending:
            is_oom = how.endswith("SIGKILL") and (oom_kills() or 0) > (self._oom_kills or 0)
            self._fail(f"worker {worker.process.pid} {how}{', probably for want of memory' if is_oom else ''}")
        if not self._workers:
            self._finish()

    def _fail(self, reason: str) -> None:
        self._fault = self._fault or reason
        if self._workers:
            self.stop("failed")

    def _give_up(self) -> None:
        """Wait no longer for workers that do not end though they were killed; each ends when the kernel lets it."""
        if not self._gone:
            worker = self._workers[0]
            how = f"{worker.name} does not end{doing(process_state(worker.process.pid))}"
            self._fault = f"{self._fault}; {how}" if self._fault else how
            self._finish()

    def _finish(self) -> None:
        self._gone = True
        achieved = self.achieved()
        if self.is_applied and self._since is None:
            self._fault = self._fault or "ended before it was really there"
        elif self._since is not None and self._judge is not None:
            self._fault = self._fault or self._judge.shortfall(achieved, self._held())
        self._owner.report(
            self,
            "abort" if self._fault else "end",
            at=time.monotonic(),
            since=self._since,
            began=self._began,
            paused=self._loop.paused_s - self._paused_before,
            reason=self._fault or self._ending or "done",
            achieved=achieved,
        )
        self._owner.on_finished(self)


class WorkerHandle:
    """A worker of a load, as the supervisor sees it."""

    def __init__(self, process: process.ForkedWorker | process.SpawnedWorker, name: str) -> None:
        self.process, self.name = process, name
        self.record = WorkerRecord(process.pid)
        self.unread = b""
        self.heard_at_once = 0
        self.achieved: Figures = {}


def demand(request: LoadRequest) -> float:
    """The most that a load asks for at once, in the unit of its stressor: CPUs, bytes, bytes a second."""
    module = import_module(request.module)
    job = Job(request)
    found: float = module.demand(job) if hasattr(module, "demand") else job.profile.peak
    return found
