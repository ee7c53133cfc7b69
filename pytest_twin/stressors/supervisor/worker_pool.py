"""A pool of idle worker processes, so that a load need not wait for the start of new ones."""

from __future__ import annotations

import math

from pytest_twin.stressors.system.capacity import usable_cpus
from pytest_twin.stressors.worker import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pytest_twin.stressors.supervisor.event_loop import EventLoop

MAX_IDLE = 8
MAX_BUSY_PER_CPU = 16  # by several loads together; with more, each worker and what serves it gets little CPU time


class WorkerPool:
    """Keeps as many idle workers as were busy at the same time, up to `MAX_IDLE`; none before the first load."""

    def __init__(self, loop: EventLoop, *, fork: bool) -> None:
        """Make an empty pool.

        Args:
            loop: The event loop that fills the pool, one worker at a time, when it is idle.
            fork: Whether workers are forks of this process.
        """
        self._loop, self._fork = loop, fork
        self._idle: list[process.ForkedWorker | process.SpawnedWorker] = []
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

    def acquire(self) -> process.ForkedWorker | process.SpawnedWorker:
        """Return an idle worker, or a new one if there is none.

        Raises:
            OSError: The system has no more processes.
        """
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

    def close(self) -> None:
        """End the idle workers and start no more."""
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
