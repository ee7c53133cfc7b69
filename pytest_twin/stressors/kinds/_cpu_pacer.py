"""CPU seconds due and CPU seconds used, settled every few milliseconds: how a worker keeps to a number of cores.

The ends of the slices are absolute and dithered, each worker in its own way, so that no other periodic thing, the
kernel's tick and the other workers among them, can fall in step with the load.
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_twin.stressors.worker.job import Job

SLICE_S = 0.002
LARGEST_DEBT_S = 0.1  # what a busy machine keeps from the load beyond that is not made up for


class CpuPacer:
    """The account of one worker process; its load is ready when it is opened."""

    def __init__(self, job: Job, burn: Callable[[], object]) -> None:
        """Open it.

        Args:
            job: What paces it.
            burn: Burns CPU for less than a millisecond.
        """
        self._job, self._burn = job, burn
        self._then = self._deadline = job.now()
        self._used = time.process_time()
        self._debt = 0.0

    def burn_slice(self, cores: float) -> None:
        """Burn what became due since the last call, at so many cores, and sleep for the rest of the slice."""
        now = self._job.now()
        due = cores * (now - self._then)
        self._then = now
        self._debt = min(self._debt + due, LARGEST_DEBT_S)
        pay_until, burn_until = self._used + self._debt, now + SLICE_S
        while (spent := time.process_time()) < pay_until and self._job.now() < burn_until:
            self._burn()
        self._debt, self._used = self._debt - (spent - self._used), spent
        self._deadline = max(self._deadline + SLICE_S * (0.5 + os.urandom(1)[0] / 255), now)
        if self._debt <= 0:
            time.sleep(max(0.0, self._deadline - self._job.now()))
