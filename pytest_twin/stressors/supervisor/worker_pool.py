"""Workers that wait for a load, so that the next one begins without the time that new processes take."""

from __future__ import annotations

import math

from pytest_twin.stressors.system.capacity import usable_cpus
from pytest_twin.stressors.worker import process

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pytest_twin.stressors.supervisor.event_loop import EventLoop

MOST = 8
MOST_A_CPU = 16  # at work at the same time for several loads; of more, each gets little, and what serves them too


class WorkerPool:
    """As many waiting workers as there were at work at the same time, up to `MOST`; none before the first load."""

    def __init__(self, loop: EventLoop, *, fork: bool) -> None:
        """Prepare it.

        Args:
            loop: Where it is filled, one worker at a time, when nothing else is to do.
            fork: Whether they are forks of this process.
        """
        self._loop, self._fork = loop, fork
        self._waiting: list[process.ForkedWorker | process.SpawnedWorker] = []
        self._working = self._wanted = 0
        self._most = MOST_A_CPU * math.ceil(usable_cpus())

    def check(self, count: int = 1) -> None:
        """See that there may be so many more workers; a load alone is for its stressor to judge.

        Raises:
            ValueError: Together with those that are at work they are too many.
        """
        if self._working and self._working + count > self._most:
            raise ValueError(f"{self._working} workers are at work, and at most {self._most} may be at the same time")

    def admit(self, count: int) -> None:
        """Let so many workers be taken, and be at work until they are given back.

        Raises:
            ValueError: As above.
        """
        self.check(count)
        self._working += count
        self._wanted = min(MOST, max(self._wanted, self._working))

    def acquire(self) -> process.ForkedWorker | process.SpawnedWorker:
        """One of them, a new one where none is waiting.

        Raises:
            OSError: The machine gives no more processes.
        """
        while self._waiting:
            waiting = self._waiting.pop()
            if waiting.is_alive():
                return waiting
            waiting.reap()
        return process.launch(fork=self._fork)

    def release(self, count: int) -> None:
        """Have their places filled: they themselves have ended."""
        self._working -= count
        self._loop.when_idle(self._fill)

    def close(self) -> None:
        """Let those go that are waiting, and have no more."""
        self._wanted = 0
        for each in self._waiting:
            each.kill()
        while self._waiting:
            self._waiting.pop().reap()

    def _fill(self) -> None:
        if len(self._waiting) < self._wanted - self._working:
            try:
                self._waiting.append(process.launch(fork=self._fork))
            except OSError:
                return  # the next load tells, if it is still so
            self._loop.when_idle(self._fill)
