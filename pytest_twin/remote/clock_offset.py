"""Estimate the offset between the monotonic clocks of two hosts."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

PINGS = 8


class ClockOffset(NamedTuple):
    """The offset of the controller's monotonic clock from that of this host.

    Attributes:
        seconds: What the controller's clock is ahead.
        uncertainty_s: The largest possible error of it: half of the round trip in which it was measured.
    """

    seconds: float
    uncertainty_s: float


def estimate_offset(read_remote: Callable[[], float], now: Callable[[], float], times: int = PINGS) -> ClockOffset:
    """Return the offset of a remote clock, measured in the shortest of several round trips.

    Args:
        read_remote: Asks the other host for the time of its clock.
        now: The clock of this host.
        times: The number of round trips.
    """
    found = []
    for _ in range(times):
        sent = now()
        remote = read_remote()
        received = now()
        found.append(ClockOffset(remote - (sent + received) / 2, (received - sent) / 2))
    return min(found, key=lambda offset: offset.uncertainty_s)
