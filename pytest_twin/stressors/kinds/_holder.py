"""Holding a number of resources, such as open files: as many as the profile requests, as far as there is headroom."""

from __future__ import annotations

import time
from collections.abc import Callable

from pytest_twin.stressors.system.kernel_tables import Headroom
from pytest_twin.stressors.worker.job import Job

MAX_UNCHECKED = 1024  # taken before the headroom is read again


class Holder:
    """Holds one worker's part of the resources of a load."""

    def __init__(
        self,
        job: Job,
        name: str,
        acquire: Callable[[], None],
        release: Callable[[], None],
        headroom: Callable[[int], Headroom],
    ) -> None:
        """Start with none.

        Args:
            job: The job of the worker.
            name: The name of the figure, in plural; ``peak_`` and this name is the figure of the maximum.
            acquire: Acquires one more resource.
            release: Releases the last one.
            headroom: Returns how many more the load may take, for the number that this worker holds.
        """
        self._job, self._name = job, name
        self._acquire, self._release, self._headroom = acquire, release, headroom
        self._count = 0
        self._update_figures()

    def follow(self, whole: float = 1.0) -> None:
        """Hold as many as the profile requests until stopped; `whole` is the number that a value of 1 stands for.

        Raises:
            OSError: There are fewer, and the load is strict.
        """
        job = self._job
        self.resize(self.target(whole))
        job.ready()
        while True:
            job.tick()
            time.sleep(0.2 if job.settled() else 0.02)
            self.resize(self.target(whole))

    def target(self, whole: float) -> int:
        """Return this worker's part of the number; the parts of all workers add up to it."""
        number = round(self._job.target() * whole)
        return number // self._job.workers + (self._job.index < number % self._job.workers)

    def resize(self, target: int) -> None:
        """Acquire or release until this worker holds the target, or there is no more headroom.

        Raises:
            OSError: There are fewer, and the load is strict.
        """
        while self._count > target:
            self._release()
            self._count -= 1
        left = 0.0
        while self._count < target:
            if left < 1:
                headroom = self._headroom(self._count)
                if headroom.left < 1:
                    self._fall_short(target, headroom.reason)
                    break
                left = min(
                    MAX_UNCHECKED, max(1, headroom.left // (8 * self._job.workers))
                )  # other workers take some too
            try:
                self._acquire()
            except OSError as error:
                self._fall_short(target, error.strerror or str(error))
                break
            self._count += 1
            left -= 1
            self._job.tick()
        self._update_figures()

    def _fall_short(self, target: int, reason: str) -> None:
        text = f"stopped at {self._count} of {target} {self._name.replace('_', ' ')}: {reason}"
        if self._job.strict:
            raise OSError(text)
        self._job.achieved["reduced"] = text

    def _update_figures(self) -> None:
        peak = max(self._count, int(self._job.achieved.get(f"peak_{self._name}", 0)))
        self._job.achieved.update({self._name: self._count, f"peak_{self._name}": peak})
