"""One load from its request to its end: starts, watches and stops the workers, and adds up their figures."""

from __future__ import annotations

import json
import time
from functools import partial
from importlib import import_module

from pytest_twin.stressors.spec.request import BESIDE, CUT, LATE, ON_TIME, REPLAY, STOPPED, TIMED
from pytest_twin.stressors.supervisor.load_judge import (
    SILENCE_LIMIT_S,
    WAITING,
    LoadJudge,
    WorkerRecord,
    describe_state,
)
from pytest_twin.stressors.supervisor.stop_conditions import check_sample
from pytest_twin.stressors.supervisor.worker_pool import kill_after_s
from pytest_twin.stressors.system.capacity import oom_kills
from pytest_twin.stressors.system.parent import process_state
from pytest_twin.stressors.worker import process
from pytest_twin.stressors.worker.job import REPORT_EVERY_S, Job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from pytest_twin.stressors.spec.request import LoadRequest
    from pytest_twin.stressors.supervisor.event_loop import EventLoop
    from pytest_twin.stressors.supervisor.replay_cpu import ReplayCpu

    Figures = dict[str, float | str]

    class LoadOwner(Protocol):
        """What a load asks of its owner and reports to it; `LoadManager` is one."""

        loop: EventLoop
        replay_cpu: ReplayCpu

        def check(self, load: ActiveLoad) -> None:
            """Raise ValueError if the load would exceed a limit."""

        def admit(self, count: int) -> None:
            """Reserve worker processes; raise ValueError if there would be too many."""

        def acquire_worker(self, request: LoadRequest) -> process.ForkedWorker | process.SpawnedWorker:
            """Return a worker process that waits for this load; raise OSError if there can be no more processes."""
            ...

        def keep_worker(self, worker: process.ForkedWorker, request: LoadRequest) -> bool:
            """Keep a worker that rests for the next load of the same kind; return False if it is to end."""
            ...

        def sample(self) -> dict[str, str]:
            """Return the latest sample by column."""
            ...

        def report(self, load: ActiveLoad, event: str, **fields: Any) -> None:
            """Reply with an event of the load."""

        def on_finished(self, load: ActiveLoad) -> None:
            """Forget a load that has ended."""


GIVE_UP_AFTER_S = 1.0  # after SIGKILL: the kernel does not end a process that waits for a stalled disk
GIVE_UP_BUSY_AFTER_S = 7.0  # one that waits for a CPU ends as soon as it has one; below END_WITHIN_S of the client
CHECK_CONDITIONS_EVERY_S = 0.1
WATCH_EVERY_S = 0.25


class ActiveLoad:
    """A load that is applied, or waits for its start.

    Attributes:
        id: The id of the load.
        size: The number of its workers, 0 before it is started.
    """

    def __init__(self, request: LoadRequest, owner: LoadOwner) -> None:
        self.id = request.id
        self._request = request
        self._owner, self._loop = owner, owner.loop
        self._workers: list[WorkerHandle] = []
        self.size = 0
        self._not_ready = 0
        self._began: float | None = None
        self._is_finished = False
        self._ready_at: float | None = None
        self._held_from = 0.0  # the same, in the time of loads
        self._held_until: float | None = None
        self._paused_before = 0.0
        self._stop_reason = ""  # empty until it is stopped
        self._fault = ""
        self._figures: list[Figures] = []
        self._judge: LoadJudge | None = None
        self._oom_kills: int | None = None
        self._conditions = request.stop_when

    @property
    def is_applied(self) -> bool:
        """Whether its workers have been started, or are being started."""
        return self.size > 0

    @property
    def module(self) -> str:
        """The module of its stressor."""
        return self._request.module

    def demand(self) -> float:
        """Return the highest amount that it requests, in the unit of its stressor; raises what makes `start` fail."""
        return demand(self._request)

    def start(self) -> None:
        """Start the workers, or report why that fails; the load is ready when all workers are."""
        if self._stop_reason:
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
        self.size = self._not_ready = count
        if self._request.start is not None:
            self._end_after(self._request.start)
        if self._conditions:
            self._loop.after(CHECK_CONDITIONS_EVERY_S, self._check_conditions_later)
        self._start_workers()

    def stop(self, reason: str) -> None:
        """Ask the workers to stop, and kill those that do not."""
        if self._stop_reason or self._is_finished:
            return
        self._stop_reason, self._held_until = reason, self._loop.now()
        if not self._workers:
            self._finish()
            return
        if self._began is None:  # workers that wait for their load cannot be asked
            self.kill()
            return
        for worker in self._workers:
            worker.process.stop()
        self._loop.after(kill_after_s(self.module), self.kill)

    def kill(self) -> None:
        """Kill the workers."""
        for worker in self._workers:
            worker.process.kill()
        self._loop.after(GIVE_UP_AFTER_S, partial(self._give_up, time.monotonic() + GIVE_UP_BUSY_AFTER_S))

    def pause(self) -> None:
        """Pause the workers."""
        for worker in self._workers:
            worker.process.pause()

    def resume(self) -> None:
        """Resume the workers."""
        for worker in self._workers:
            worker.process.resume()

    def worked_during(self, seconds: float) -> bool:
        """Return whether a worker has sent reports during the last seconds, which were all received at once."""
        return any(worker.reports_at_once > 1 + seconds / (2 * REPORT_EVERY_S) for worker in self._workers)

    def achieved(self) -> Figures:
        """Return the figures so far: numbers added up over the workers, texts as they are, and the coverage."""
        total: Figures = {}
        for figures in (*self._figures, *(worker.achieved for worker in self._workers)):
            for name, value in figures.items():
                before = total.get(name, 0)
                is_sum = not isinstance(value, str) and not isinstance(before, str)
                total[name] = before + value if is_sum else value  # type: ignore[operator]
        if self._judge is not None and self._ready_at is not None:
            total |= self._judge.figures(self._held_s())
        duration = self._request.duration
        if duration and self._ready_at is not None:
            total["coverage"] = min(1.0, self._held_s() / duration)
        return total

    @property
    def is_on_time(self) -> bool:
        """Whether its profile begins at its start, and not when it is ready: the kinds of a replay go together."""
        return bool(self._request.options.get(ON_TIME))

    @property
    def _is_early(self) -> bool:
        """Whether its workers wait for its start, or did so when it was stopped."""
        now = self._loop.now() if self._held_until is None else self._held_until
        return self.is_on_time and self._request.start is not None and now < self._request.start

    @property
    def _is_unready(self) -> bool:
        """Whether it was begun and has never been ready."""
        return self.is_applied and self._ready_at is None and not self._is_early

    @property
    def _is_cut(self) -> bool:
        """Whether it is of a schedule that was stopped in the moment in which it began, which is no fault of it."""
        return self._is_unready and self._stop_reason == STOPPED and self._request.start is not None

    def _held_s(self) -> float:
        if self._ready_at is None:
            return 0.0
        return (self._loop.now() if self._held_until is None else self._held_until) - self._held_from

    def _check_time(self) -> None:
        start, duration = self._request.start, self._request.duration
        if start is not None and duration is not None and self._loop.now() >= start + duration:
            raise ValueError("its time was over before it could be started")

    def _start_workers(self) -> None:
        """Acquire one more worker; the load begins with the last, so that no worker slows the start of the others."""
        if self._stop_reason:
            return
        try:
            process = self._owner.acquire_worker(self._request)
        except OSError as error:
            self._fail(f"cannot start: {error}")
            if not self._workers:
                self._finish()
            return
        worker = WorkerHandle(process, f"worker {len(self._workers) + 1} of {self.size}")
        self._workers.append(worker)
        self._loop.watch(process.reports, partial(self._on_report, worker))
        if len(self._workers) < self.size:
            self._loop.after(0.0, self._start_workers)
        else:
            self._loop.when_idle(self._begin)  # other loads may be acquiring workers too

    def _begin(self) -> None:
        """Give the workers the load."""
        if self._stop_reason:
            return
        self._began = time.monotonic()
        if self._judge is not None:
            self._judge.records = [worker.record for worker in self._workers]
        request = self._request
        if self.is_on_time and request.start is not None:
            request = request.with_options(**{LATE: self._loop.now() - request.start})
        if (counter := self._owner.replay_cpu.counter(request)) is not None:
            request = request.with_options(**{BESIDE: counter})
        for index, worker in enumerate(self._workers):
            worker.process.begin(request, index, self.size)
        self._oom_kills = oom_kills()  # only now, so that the workers need not wait for it
        if self._loop.is_paused:
            self.pause()

    def _on_report(self, worker: WorkerHandle, data: bytes) -> None:
        if not data:
            self._on_worker_exit(worker)
            return
        worker.record.last_report_at = self._loop.now()
        worker.unread += data
        *lines, worker.unread = worker.unread.split(b"\n")
        worker.reports_at_once = len(lines)
        for line in lines:
            message = json.loads(line)
            if "achieved" in message:
                worker.achieved = message["achieved"]
                if REPLAY in self._request.options:
                    self._owner.replay_cpu.update(self._request, self.achieved().get("cpu_s", 0.0))
                if self._judge is not None:
                    self._judge.update(worker.record, worker.achieved, self._held_s())
            if "ready" in message:
                worker.record.piece = message.get("piece", 0.0)
                self._on_worker_ready(message["ready"])
            elif "fault" in message:
                self._fail(message["fault"])
            elif "resting" in message:
                self._on_worker_rest(worker)

    def _on_worker_ready(self, at: float) -> None:
        """Begin the time of the load when the last worker is ready; a single worker does not wait for the others."""
        self._not_ready -= 1
        if self._not_ready or self._stop_reason:
            return
        if self.size > 1:
            at = time.monotonic()
            for worker in self._workers:
                worker.process.all_ready(at)
        if self._is_early and (start := self._request.start) is not None:
            self._loop.at(start, lambda: self._hold(start + self._loop.paused_s))
        else:
            self._hold(at)

    def _hold(self, at: float) -> None:
        """Begin the time of the load, of which all workers are ready, at this `time.monotonic`."""
        if self._stop_reason or self._is_finished:
            return
        self._ready_at, self._held_from = at, min(self._loop.now(), at - self._loop.paused_s)
        if self._judge is not None and self.is_on_time and self._request.start is not None:
            self._judge.late_s = max(0.0, self._held_from - self._request.start)
        self._watch(self._held_from)
        pids = [worker.process.pid for worker in self._workers]
        self._owner.report(self, "ready", at=at, pids=pids, achieved=self.achieved())
        if self._request.start is None:
            self._end_after(self._held_from)

    def _end_after(self, begin: float) -> None:
        """Stop the load after its duration, counted from its start if it has one, else from when it is ready."""
        if self._request.duration is not None:
            self._loop.at(begin + self._request.duration, lambda: self.stop(TIMED))

    def _watch(self, due: float) -> None:
        """Fail the load if a worker is stuck, and check again later.

        Args:
            due: When this call was due; if it is much later, this process was stopped and could receive no reports.
        """
        if self._stop_reason or self._is_finished or self._judge is None:
            return
        now, held_s = self._loop.now(), self._held_s()
        was_stopped = now - due > SILENCE_LIMIT_S / 2
        for worker in self._workers:
            if was_stopped:
                worker.record.last_report_at, worker.record.changed_at = now, held_s
            elif how := self._judge.why_stuck(worker.record, now, held_s):
                self._fail(f"{worker.name} {how}")
                return
        self._loop.at(now + WATCH_EVERY_S, partial(self._watch, now + WATCH_EVERY_S))

    def _check_conditions_later(self) -> None:
        """Fail the load if a condition on samples holds, and check again later."""
        if self._stop_reason or self._is_finished:
            return
        try:
            self._check_conditions()
        except ValueError as error:
            self._fail(str(error))
        else:
            self._loop.after(CHECK_CONDITIONS_EVERY_S, self._check_conditions_later)

    def _check_conditions(self) -> None:
        if self._conditions and (reason := check_sample(self._conditions, self._owner.sample())):
            raise ValueError(reason)

    def _on_worker_rest(self, worker: WorkerHandle) -> None:
        """Finish without the end of a worker that waits for the next load, or end it."""
        rests = worker.process
        if (
            not isinstance(rests, process.ForkedWorker)
            or self._fault
            or self.size > 1
            or not self._owner.keep_worker(rests, self._request)
        ):
            rests.stop()
            return
        rests.on_rest()
        self._loop.unwatch(rests.reports)
        self._workers.remove(worker)
        self._figures.append(worker.achieved)
        self._finish()

    def _on_worker_exit(self, worker: WorkerHandle) -> None:
        how = worker.process.reap()
        if self._is_finished:  # it has been given up
            return
        self._workers.remove(worker)
        self._figures.append(worker.achieved)
        if how and not self._stop_reason:
            is_oom = how.endswith("SIGKILL") and (oom_kills() or 0) > (self._oom_kills or 0)
            self._fail(f"worker {worker.process.pid} {how}{', probably out of memory' if is_oom else ''}")
        if not self._workers:
            self._finish()

    def _fail(self, reason: str) -> None:
        self._fault = self._fault or reason
        if self._workers:
            self.stop("failed")

    def _give_up(self, at_last: float) -> None:
        """Finish the load without the workers that the kernel has not ended yet, though they are killed.

        Args:
            at_last: Until when they are waited for if they do not wait for a disk, but perhaps for a CPU.
        """
        if self._is_finished:
            return
        states = {worker.name: process_state(worker.process.pid) for worker in self._workers}
        name = next((name for name, state in states.items() if state in WAITING), "")
        if not name and time.monotonic() < at_last:
            self._loop.after(GIVE_UP_AFTER_S, partial(self._give_up, at_last))
            return
        name = name or self._workers[0].name
        how = f"{name} does not end{describe_state(states[name])}"
        self._fault = f"{self._fault}; {how}" if self._fault else how
        self._finish()

    def _finish(self) -> None:
        self._is_finished = True
        achieved = self.achieved()
        if self._is_unready and not self._is_cut:
            self._fault = self._fault or "ended before it was ready"
        elif self._ready_at is not None and self._judge is not None:
            is_timed = self._stop_reason == TIMED
            self._fault = self._fault or self._judge.shortfall(achieved, self._held_s(), is_timed=is_timed)
        self._owner.report(
            self,
            "abort" if self._fault else "end",
            at=time.monotonic(),
            since=self._ready_at,
            began=self._began,
            paused=self._loop.paused_s - self._paused_before,
            reason=self._fault or (CUT if self._is_cut else self._stop_reason) or "done",
            achieved=achieved,
        )
        self._owner.on_finished(self)


class WorkerHandle:
    """A worker of a load: its process, its reports and its figures."""

    def __init__(self, process: process.ForkedWorker | process.SpawnedWorker, name: str) -> None:
        self.process, self.name = process, name
        self.record = WorkerRecord(process.pid)
        self.unread = b""
        self.reports_at_once = 0
        self.achieved: Figures = {}


def demand(request: LoadRequest) -> float:
    """Return the highest amount of a load, in the unit of its stressor: CPUs, bytes, bytes per second."""
    module = import_module(request.module)
    job = Job(request)
    found: float = module.demand(job) if hasattr(module, "demand") else job.profile.peak
    return found
