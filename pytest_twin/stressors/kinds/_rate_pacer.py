"""A rate held by single moves: what is due grows with the time of the load, and each move pays for some of it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable

from pytest_twin.stressors.spec.kind import MAX
from pytest_twin.stressors.worker.job import Job

LONGEST_SLEEP_S = 0.05
MOST_BEHIND_S = 0.5  # what could not be had for longer is not made up for


def keep_rate(job: Job, figure: str, size: float, move: Callable[[], float]) -> None:
    """Say that the load is ready, and move as often as the profile asks, or as often as it goes, until stopped.

    Args:
        job: Its workers share the rate alike.
        figure: The name of what is moved in the figures; it counts from when the load is ready.
        size: How much one move is, about.
        move: Moves it, and comes back with how much it was; it takes a few milliseconds at most.
    """
    due = moved = job.achieved[figure] = 0.0
    job.piece = size
    job.ready()
    then = job.began
    while True:
        now = job.now()
        rate = math.inf if job.unit == MAX else job.target() / job.workers
        if rate < math.inf:
            due = min(due + rate * (now - then), moved + max(rate * MOST_BEHIND_S, size))
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
    """One worker, and more for what one cannot manage.

    Args:
        job: What is asked for.
        each: The rate that one worker is sure to manage.
        most: How many there may be.
    """
    return max(1, math.ceil(min(most, demand(job) / each)))


def demand(job: Job) -> float:
    """The most that a rate asks for, in its unit."""
    return math.inf if job.unit == MAX else job.profile.peak
