"""Take what this machine does at idle out of what the replays of a session add."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, NamedTuple

from pytest_twin.model.quantity import format_share

if TYPE_CHECKING:
    from pytest_twin.loads.schedule.schedule import Schedule
    from pytest_twin.loads.twin.surroundings import Surroundings

MOST = 0.25  # a machine that is busier is not idle: what it does may end at any time


class IdleBaseline(NamedTuple):
    """What this machine does while no test runs.

    Attributes:
        cpu: The share of its CPUs that is taken out of replays.
        text: A line for the user; empty where nothing was measured.
    """

    cpu: float = 0.0
    text: str = ""


def measure_baseline(schedules: Iterable[Schedule], surroundings: Surroundings | None) -> IdleBaseline:
    """Measure what this machine does now, which takes a second, if a replay of CPU usage is to be played.

    Args:
        schedules: The schedules of the session.
        surroundings: What surrounds its tests, of a recording; None without one.
    """
    from pytest_twin.loads.schedule.replay import replays_cpu

    others = surroundings.others if surroundings is not None else None
    if not (others is not None and "cpu" in others.frame) and not any(map(replays_cpu, schedules)):
        return IdleBaseline()
    from pytest_twin.telemetry.cpu_usage import measure_cpu_share

    share = measure_cpu_share()
    if share > MOST:
        return IdleBaseline(
            0.0, f"this machine is busy ({format_share(share)} of its CPUs), and what is replayed comes on top"
        )
    return IdleBaseline(
        share, f"this machine uses {format_share(share, 1)} of its CPUs at idle: replays add as much less"
    )
