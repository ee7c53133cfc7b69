"""Workers that wait for a load, so that the next one begins without the time that new processes take."""

from __future__ import annotations

from pytest_twin.stressors import worker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pytest_twin.stressors.loop import Loop

MOST = 8


class Reserve:
    """As many waiting workers as there were at work at the same time, up to `MOST`; none before the first load."""

    def __init__(self, loop: Loop, *, fork: bool) -> None:
        """Prepare it.

        Args:
            loop: Where it is filled, one worker at a time, when nothing else is to do.
            fork: Whether they are forks of this process.
        """
        self._loop, self._fork = loop, fork
        self._waiting: list[worker.Forked | worker.Spawned] = []
        self._working = self._wanted = 0

    def take(self, count: int) -> list[worker.Forked | worker.Spawned]:
        """So many workers, new ones where not enough are waiting.

        Raises:
            OSError: The machine gives no more processes.
        """
        taken: list[worker.Forked | worker.Spawned] = []
        try:
            while len(taken) < count:
                taken.append(self._one())
        except OSError:
            _dismiss(taken)
            raise
        self._working += count
        self._wanted = min(MOST, max(self._wanted, self._working))
        return taken

    def give_back(self, count: int) -> None:
        """Have their places filled: they themselves have ended."""
        self._working -= count
        self._loop.after(0.0, self._fill)

    def close(self) -> None:
        """Let those go that are waiting, and have no more."""
        self._wanted = 0
        _dismiss(self._waiting)

    def _one(self) -> worker.Forked | worker.Spawned:
        while self._waiting:
            waiting = self._waiting.pop()
            if waiting.is_alive():
                return waiting
            waiting.reap()
        return worker.launch(fork=self._fork)

    def _fill(self) -> None:
        if len(self._waiting) < self._wanted - self._working:
            try:
                self._waiting.append(worker.launch(fork=self._fork))
            except OSError:
                return  # the next load tells, if it is still so
            self._loop.after(0.0, self._fill)


def _dismiss(workers: list[worker.Forked | worker.Spawned]) -> None:
    """End workers that have no load."""
    for each in workers:
        each.kill()
    while workers:
        workers.pop().reap()
