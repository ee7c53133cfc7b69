"""A probe: how much entropy the kernel has; its column is in every dataset once the package is installed."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_twin import Column, ProbeContext, ProcFile

COLUMNS = (Column("entropy_bits", "bit", "Entropy that the kernel has gathered.", 0),)


def probe(context: ProbeContext) -> Entropy:
    """The reader for this machine."""
    return Entropy()


class Entropy:
    """One descriptor kept open."""

    def __init__(self) -> None:
        self._file = ProcFile("/proc/sys/kernel/random/entropy_avail")

    def read(self, at: float) -> Sequence[float | None]:
        """One value a column, None where there is none."""
        text = self._file.read()
        return (float(text) if text else None,)
