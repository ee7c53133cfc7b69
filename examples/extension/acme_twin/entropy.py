"""A probe for the entropy of the kernel; its column is in every dataset when this package is installed."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_twin import Column, ProbeContext, ProcFile

COLUMNS = (Column("entropy_bits", "bit", "Entropy available in the kernel.", 0),)


def probe(context: ProbeContext) -> Entropy:
    """Return the probe for this machine."""
    return Entropy()


class Entropy:
    """Read the entropy from a file that stays open."""

    def __init__(self) -> None:
        self._file = ProcFile("/proc/sys/kernel/random/entropy_avail")

    def read(self, at: float) -> Sequence[float | None]:
        """Return one value for each column; None for a missing value."""
        text = self._file.read()
        return (float(text) if text else None,)
