"""How long a test takes that starts at some time beside a recorded load."""

from __future__ import annotations

import numpy as np

from pytest_twin.analysis.prediction.response import Numbers

FEWEST_STARTS, MOST_STARTS = 4096, 65536


def start_times(durations: Numbers) -> Numbers:
    """Return times that are spread evenly over the recording, each in the middle of its part.

    Args:
        durations: The seconds of each interval of the recording.
    """
    number = min(max(2 * len(durations), FEWEST_STARTS), MOST_STARTS)
    return (np.arange(number) + 0.5) / number * float(durations.sum())


def slowdowns_by_start(durations: Numbers, slowdowns: Numbers, idle_s: float, starts: Numbers) -> Numbers:
    """Return how many times as long a test takes, for each time at which it starts.

    Its speed is constant within an interval. It ends when the integral of the speed is its duration without load. After
    the end of the recording, the recording begins again.

    Args:
        durations: The seconds of each interval of the recording.
        slowdowns: How many times as slow the test is in each.
        idle_s: The seconds that it takes without load.
        starts: The seconds since the start of the recording at which it starts.
    """
    times = np.concatenate([[0.0], np.cumsum(durations)])
    work = np.concatenate([[0.0], np.cumsum(durations / slowdowns)])
    laps, rest = np.divmod(np.interp(starts, times, work) + idle_s, work[-1])
    ends: Numbers = laps * times[-1] + np.interp(rest, work, times)
    return (ends - starts) / idle_s
