"""A number of things held: as many as the profile asks for, as far as there is room."""

from __future__ import annotations

import time
from collections.abc import Callable

from pytest_twin.stressors.system.kernel_tables import Headroom
from pytest_twin.stressors.worker.job import Job

MOST_UNSEEN = 1024  # taken before it is looked again how much room there is


class Holder:
    """Holds them, one worker's part of all."""

    def __init__(
        self, job: Job, name: str, take: Callable[[], None], give: Callable[[], None], room: Callable[[int], Headroom]
    ) -> None:
        """Hold nothing yet.

        Args:
            job: What paces it.
            name: What they are, and their figure; ``peak_`` and this name is how many there were at most.
            take: Takes one more.
            give: Gives the last one back.
            room: How many more there may be, of that many.
        """
        self._job, self._name, self._take, self._give, self._room = job, name, take, give, room
        self._held = 0
        self._note()

    def follow(self, whole: float = 1.0) -> None:
        """Hold what the profile asks for, times the whole, until stopped.

        Raises:
            OSError: It cannot be had, and less is not enough.
        """
        job = self._job
        self.come_to(self.wanted(whole))
        job.ready()
        while True:
            job.tick()
            time.sleep(0.2 if job.settled() else 0.02)
            self.come_to(self.wanted(whole))

    def wanted(self, whole: float) -> int:
        """This worker's part: the parts of all are the number itself."""
        number = round(self._job.target() * whole)
        return number // self._job.workers + (self._job.index < number % self._job.workers)

    def come_to(self, wanted: int) -> None:
        """Hold so many, or as many as there is room for.

        Raises:
            OSError: Less is not enough.
        """
        while self._held > wanted:
            self._give()
            self._held -= 1
        left = 0.0
        while self._held < wanted:
            if left < 1:
                room = self._room(self._held)
                if room.left < 1:
                    self._fall_short(wanted, room.why)
                    break
                left = min(MOST_UNSEEN, max(1, room.left // (8 * self._job.workers)))  # the others take some too
            try:
                self._take()
            except OSError as error:
                self._fall_short(wanted, error.strerror or str(error))
                break
            self._held += 1
            left -= 1
            self._job.tick()
        self._note()

    def _fall_short(self, wanted: int, why: str) -> None:
        text = f"stopped at {self._held} of {wanted} {self._name.replace('_', ' ')}: {why}"
        if self._job.strict:
            raise OSError(text)
        self._job.achieved["reduced"] = text

    def _note(self) -> None:
        most = max(self._held, int(self._job.achieved.get(f"peak_{self._name}", 0)))
        self._job.achieved.update({self._name: self._held, f"peak_{self._name}": most})
