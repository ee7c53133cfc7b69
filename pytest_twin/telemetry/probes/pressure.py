"""Pressure stall information, from /proc/pressure (kernel: Documentation/accounting/psi.rst).

The share of the last half second, or of the time since the last row if that is longer, in which tasks waited; from the
kernel's totals, not its averages.
"""

from __future__ import annotations

from pytest_twin._system.procfs import PROC, ProcFile
from pytest_twin.model.columns import Column
from pytest_twin.telemetry.counters import SELDOM_S, CounterDelta

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_twin.model.columns import Value
    from pytest_twin.telemetry.probes import ProbeContext

COLUMNS = (
    Column(
        "pressure_cpu_percent",
        "%",
        "Share of time in which some task waited for a CPU (PSI), over half a second.",
        window_s=SELDOM_S,
    ),
    Column("pressure_memory_percent", "%", "Share of time in which some task waited for memory.", window_s=SELDOM_S),
    Column(
        "pressure_memory_full_percent", "%", "Share of time in which all tasks waited for memory.", window_s=SELDOM_S
    ),
    Column("pressure_io_percent", "%", "Share of time in which some task waited for I/O.", window_s=SELDOM_S),
    Column("pressure_io_full_percent", "%", "Share of time in which all tasks waited for I/O.", window_s=SELDOM_S),
)
MICROSECONDS = 1e6


def probe(context: ProbeContext) -> Pressure:  # noqa: ARG001
    """Return the probe for this machine; other systems have no such values."""
    return Pressure()


class Pressure:
    """Reads /proc/pressure with three descriptors kept open."""

    every_s = SELDOM_S

    def __init__(self, proc: str = PROC) -> None:
        self._cpu, self._memory, self._io = (ProcFile(f"{proc}/pressure/{name}") for name in ("cpu", "memory", "io"))
        self._growth = CounterDelta()
        self._texts = b"", b"", b""
        self._totals: tuple[int | None, ...] = (None,) * 5

    def read(self, at: float) -> Sequence[Value]:
        """Return one value for each column."""
        texts = self._cpu.start(), self._memory.start(), self._io.start()
        if texts != self._texts:
            cpu, memory, io = texts
            memory_before, io_before = self._texts[1:]
            self._totals = (
                _totals(cpu)[0],
                *(self._totals[1:3] if memory == memory_before else _totals(memory)),
                *(self._totals[3:] if io == io_before else _totals(io)),
            )
            self._texts = texts
        return self._growth.shares(self._totals, at, MICROSECONDS)


def _totals(text: bytes) -> tuple[int | None, int | None]:
    """Return the microseconds at the ends of the two lines, of which the second may be missing."""
    parts = text.split(b"total=")
    some = int(parts[1].split(None, 1)[0]) if len(parts) > 1 and parts[0].startswith(b"some") else None
    return some, int(parts[2]) if len(parts) > 2 else None
