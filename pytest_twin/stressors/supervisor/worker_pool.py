"""A pool of idle worker processes, so that a load need not wait for the start of new ones."""

from __future__ import annotations

import math
from importlib import import_module

from pytest_twin.stressors.system.capacity import usable_cpus
from pytest_twin.stressors.worker import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pytest_twin.stressors.spec.request import LoadRequest
    from pytest_twin.stressors.supervisor.event_loop import EventLoop

MAX_IDLE = 8
KILL_AFTER_S = 1.0  # unless the module of a stressor has another `KILL_AFTER_S`
MAX_BUSY_PER_CPU = 16  # by several loads together; with more, each worker and what serves it gets little CPU time


def kill_after_s(module: str) -> float:
    """Return how long workers of a stressor may take to end when they are asked to, before they are killed."""
    return float(getattr(import_module(module), "KILL_AFTER_S", KILL_AFTER_S))


class WorkerPool:
    """Keeps as many idle workers as were busy at the same time, up to `MAX_IDLE`; none before the first load.

    Besides them it keeps one worker that rests after a load, for the next load of the same kind.
    """

    def __init__(self, loop: EventLoop, *, fork: bool) -> None:
        """Make an empty pool.

        Args:
            loop: The event loop that fills the pool, one worker at a time, when it is idle.
            fork: Whether workers are forks of this process.
        """
        self._loop, self._fork = loop, fork
        self._idle: list[process.ForkedWorker | process.SpawnedWorker] = []
        self._kept: process.ForkedWorker | None = None
        self._kept_for: tuple[object, ...] = ()
        self._kept_end_s = KILL_AFTER_S
        self._is_closed = False
        self._busy = self._wanted = 0
        self._max_busy = MAX_BUSY_PER_CPU * math.ceil(usable_cpus())

    def check(self, count: int = 1) -> None:
        """Check that so many more workers may be busy; the stressor limits the workers of a load that runs alone.

        Raises:
            ValueError: There would be too many busy workers.
        """
        if self._busy and self._busy + count > self._max_busy:
            raise ValueError(f"{self._busy} workers are busy; the maximum is {self._max_busy}")

    def admit(self, count: int) -> None:
        """Count workers as busy until they are released.

        Raises:
            ValueError: There would be too many busy workers.
        """
        self.check(count)
        self._busy += count
        self._wanted = min(MAX_IDLE, max(self._wanted, self._busy))

    def acquire(self, request: LoadRequest) -> process.ForkedWorker | process.SpawnedWorker:
        """Return the worker that is kept for such a load, an idle one, or a new one if there is none.

        Raises:
            OSError: The system has no more processes.
        """
        if self._kept is not None and self._kept_for == _reuse_key(request) and self._kept.is_alive():
            kept, self._kept = self._kept, None
            return kept
        self._end_kept()
        while self._idle:
            worker = self._idle.pop()
            if worker.is_alive():
                return worker
            worker.reap()
        return process.launch(fork=self._fork)

    def release(self, count: int) -> None:
        """Count workers, which have ended, as busy no longer, and replace them by idle ones."""
        self._busy -= count
        self._loop.when_idle(self._fill)

    def keep(self, worker: process.ForkedWorker, request: LoadRequest) -> bool:
        """Keep a worker that rests for the next load of the same kind; return False if it is to end."""
        if self._is_closed or self._kept is not None:
            return False
        self._kept, self._kept_for, self._kept_end_s = worker, _reuse_key(request), kill_after_s(request.module)
        return True

    def _end_kept(self) -> None:
        """End the worker that is kept, and wait until it has undone what it changed."""
        if self._kept is None:
            return
        kept, self._kept = self._kept, None
        kept.stop()
        kept.wait(self._kept_end_s)
        kept.kill()  # it may be stuck; what it has not undone, its guardian does
        kept.wait(self._kept_end_s)
        kept.reap()

    def close(self) -> None:
        """End the idle workers and start no more."""
        self._is_closed = True
        self._end_kept()
        self._wanted = 0
        for worker in self._idle:
            worker.kill()
        while self._idle:
            self._idle.pop().reap()

    def _fill(self) -> None:
        if len(self._idle) < self._wanted - self._busy:
            try:
                self._idle.append(process.launch(fork=self._fork))
            except OSError:
                return  # the next load reports it, if it lasts
            self._loop.when_idle(self._fill)


def _reuse_key(request: LoadRequest) -> tuple[object, ...]:
    """Return what two requests have in common if the worker of the one can rest and then serve the other."""
    return request.module, request.unit, request.profile, request.options, request.duration
