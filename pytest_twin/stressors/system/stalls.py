"""The counters of a constraint that stops the tests' processes by signals, in a file that others read."""

from __future__ import annotations

from typing import NamedTuple

from pytest_twin.stressors.system.capacity import text


class Stalls(NamedTuple):
    """The stalls of processes that are stopped by signals.

    Attributes:
        throttled_s: Seconds of all stalls.
        periods: The number of periods with a stall.
        is_stopped: Whether the processes are stopped now.
    """

    throttled_s: float
    periods: int
    is_stopped: bool

    def to_text(self) -> str:
        """Return the text of the file with these counters, which begins as cpu.stat of version 2 does."""
        return (
            f"throttled_usec {self.throttled_s * 1e6:.0f}\nnr_throttled {self.periods}\nstopped {self.is_stopped:d}\n"
        )


def read_stalls(path: str) -> Stalls | None:
    """Read the file of `Stalls.to_text`; None if it is another one, or does not exist."""
    folder, _, name = path.rpartition("/")
    fields = dict(line.split() for line in text(folder, name).splitlines())
    if "stopped" not in fields:
        return None
    return Stalls(int(fields["throttled_usec"]) / 1e6, int(fields["nr_throttled"]), fields["stopped"] == "1")
