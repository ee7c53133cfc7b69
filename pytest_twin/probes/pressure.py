"""Pressure stall information, from /proc/pressure (kernel: Documentation/accounting/psi.rst).

The share of the time since the last row in which something waited, from the kernel's totals, not its averages.
"""

from __future__ import annotations

from pytest_twin.model.columns import Column
from pytest_twin.probes.kernel import PROC, Growth, KeptOpen, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_twin.model.columns import Value
    from pytest_twin.probes import Context

COLUMNS = (
    Column("pressure_cpu_percent", "%", "Time in which some task waited for a CPU."),
    Column("pressure_memory_percent", "%", "Time in which some task waited for memory."),
    Column("pressure_memory_full_percent", "%", "Time in which all tasks waited for memory."),
    Column("pressure_io_percent", "%", "Time in which some task waited for a disk."),
    Column("pressure_io_full_percent", "%", "Time in which all tasks waited for a disk."),
)
_TOTAL = b"total="
MICROSECONDS = 1e6


def probe(context: Context) -> Pressure:  # noqa: ARG001
    """The reader for this machine; other systems have nothing like it."""
    return Pressure()


class Pressure:
    """Three descriptors kept open."""

    def __init__(self, proc: str = PROC) -> None:
        self._cpu, self._memory, self._io = (KeptOpen(f"{proc}/pressure/{name}") for name in ("cpu", "memory", "io"))
        self._growth = Growth()

    def read(self, at: float) -> Sequence[Value]:
        """One value a column."""
        memory, io = self._memory.read(), self._io.read()
        totals = (_some(self._cpu.read()), _some(memory), _full(memory), _some(io), _full(io))
        return self._growth.shares(totals, at, MICROSECONDS)


def _some(text: bytes) -> int | None:
    """The microseconds at the end of the first line."""
    first, _, _ = text.partition(b"\n")
    return number(first.partition(_TOTAL)[2]) if first.startswith(b"some") else None


def _full(text: bytes) -> int | None:
    """The microseconds at the end of the second line."""
    _, _, second = text.partition(b"\n")
    return number(second.partition(_TOTAL)[2]) if second.startswith(b"full") else None
