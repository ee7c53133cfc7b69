"""Pacing of a rate by single moves: the due amount grows with the time of the load, and each move reduces it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from pytest_twin.stressors.spec.kind import MAX
from pytest_twin.stressors.worker.job import Job

LONGEST_SLEEP_S = 0.05
MAX_BEHIND_S = 0.5  # a backlog of more than that at the highest rate is dropped


def keep_rate(job: Job, figure: str, size: float, move: Callable[[], float]) -> None:
    """Report that the load is ready, and move at the rate of the profile, or as fast as possible, until stopped.

    Args:
        job: The job of the worker; all workers of a load have equal parts of the rate.
        figure: The name of the figure, which counts from when the load is ready.
        size: The approximate amount of a move.
        move: Moves and returns the amount; takes a few milliseconds at most.
    """
    due = moved = job.achieved[figure] = 0.0
    job.piece = size
    job.ready()
    then = job.began
    most_behind = max(size, 0.0 if job.unit == MAX else job.profile.peak / job.workers * MAX_BEHIND_S)
    while True:
        now = job.now()
        rate = math.inf if job.unit == MAX else job.target() / job.workers
        if rate < math.inf:
            due = min(due + job.asked_between(then, now) / job.workers, moved + most_behind)
        then = now
        if rate == math.inf or moved + size <= due:
            moved += move()
            job.achieved[figure] = moved
        elif rate > 0:
            time.sleep(min(LONGEST_SLEEP_S, (moved + size - due) / rate))
        else:
            time.sleep(LONGEST_SLEEP_S)
        job.tick()


def workers(job: Job, each: float, most: int) -> int:
    """Return the number of workers that a rate needs.

    Args:
        job: The job of the load.
        each: The rate that one worker achieves.
        most: The maximum number of workers.
    """
    return max(1, math.ceil(min(most, demand(job) / each)))


def demand(job: Job) -> float:
    """Return the highest rate that is requested, in its unit."""
    return math.inf if job.unit == MAX else job.profile.peak
