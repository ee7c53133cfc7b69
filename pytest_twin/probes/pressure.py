"""Pressure stall information, from /proc/pressure (kernel: Documentation/accounting/psi.rst).

The share of the time since the last row in which something waited, from the kernel's totals, not its averages.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from pytest_twin.model.columns import Column, Value
from pytest_twin.probes import Context
from pytest_twin.probes.kernel import PROC, Delta, KeptOpen

COLUMNS = (
    Column("pressure_cpu_percent", "%", "Time in which some task waited for a CPU."),
    Column("pressure_memory_percent", "%", "Time in which some task waited for memory."),
    Column("pressure_memory_full_percent", "%", "Time in which all tasks waited for memory."),
    Column("pressure_io_percent", "%", "Time in which some task waited for a disk."),
    Column("pressure_io_full_percent", "%", "Time in which all tasks waited for a disk."),
)
_TOTAL = {kind: re.compile(rb"%s .*total=(\d+)" % kind) for kind in (b"some", b"full")}


def probe(context: Context) -> Pressure:  # noqa: ARG001
    """The reader for this machine; other systems have nothing like it."""
    return Pressure()


class Pressure:
    """Three descriptors kept open."""

    def __init__(self, proc: str = PROC) -> None:
        self._cpu, self._memory, self._io = (KeptOpen(f"{proc}/pressure/{name}") for name in ("cpu", "memory", "io"))
        self._delta = Delta()

    def read(self, at: float) -> Sequence[Value]:
        """One value a column."""
        memory, io = self._memory.read(), self._io.read()
        return (
            self._share("cpu", b"some", self._cpu.read(), at),
            self._share("memory", b"some", memory, at),
            self._share("memory full", b"full", memory, at),
            self._share("io", b"some", io, at),
            self._share("io full", b"full", io, at),
        )

    def _share(self, name: str, kind: bytes, text: bytes, at: float) -> float | None:
        found = _TOTAL[kind].search(text)
        return self._delta.share(name, int(found[1]) / 1e6 if found else None, at)
