"""Pacing of a worker that uses a number of cores: burns the CPU seconds that are due every few milliseconds.

The ends of the slices are absolute times with a random jitter of each worker's own, so that no other periodic activity,
such as the kernel's tick or the other workers, can be in step with the load.
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_twin.stressors.worker.job import Job

SLICE_S = 0.002
LARGEST_CREDIT_S = 0.5  # CPU seconds of others beyond that are not made up for
LARGEST_DEBT_S = 0.1  # CPU seconds that a busy machine withholds beyond that are dropped


class CpuPacer:
    """Compares the CPU seconds that are due with those used by one worker, from the time at which its load is ready."""

    def __init__(self, job: Job, burn: Callable[[], object]) -> None:
        """Start at the present time.

        Args:
            job: The job of the worker.
            burn: A call that burns CPU for less than a millisecond.
        """
        self._job, self._burn = job, burn
        self._then = self._deadline = job.now()
        self._used = time.process_time()
        self._debt = 0.0

    def burn_slice(self, cores: float, paid_s: float = 0.0) -> None:
        """Burn what has become due for a number of cores since the last call, and sleep for the rest of the slice.

        Args:
            cores: The number of cores.
            paid_s: CPU seconds that others have burnt in place of this worker since the last call.
        """
        now = self._job.now()
        due = cores * (now - self._then) - paid_s
        self._then = now
        self._debt = max(min(self._debt + due, LARGEST_DEBT_S), -LARGEST_CREDIT_S)
        pay_until, burn_until = self._used + self._debt, now + SLICE_S
        while (spent := time.process_time()) < pay_until and self._job.now() < burn_until:
            self._burn()
        self._debt, self._used = self._debt - (spent - self._used), spent
        self._deadline = max(self._deadline + SLICE_S * (0.5 + os.urandom(1)[0] / 255), now)
        if self._debt <= 0:
            time.sleep(max(0.0, self._deadline - self._job.now()))
