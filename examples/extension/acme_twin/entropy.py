"""A probe: how much entropy the kernel has; its column is in every dataset once the package is installed."""

from __future__ import annotations

from collections.abc import Sequence

from pytest_twin._system.procfs import ProcFile
from pytest_twin.model.columns import Column, Value
from pytest_twin.telemetry.probes import ProbeContext

COLUMNS = (Column("entropy_bits", "bit", "Entropy that the kernel has gathered.", 0),)


def probe(context: ProbeContext) -> Entropy:
    """The reader for this machine."""
    return Entropy()


class Entropy:
    """One descriptor kept open."""

    def __init__(self) -> None:
        self._file = ProcFile("/proc/sys/kernel/random/entropy_avail")

    def read(self, at: float) -> Sequence[Value]:
        """One value a column, None where there is none."""
        text = self._file.read()
        return (float(text) if text else None,)
